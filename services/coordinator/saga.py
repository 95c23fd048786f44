"""A pass over a saga: its actions in the order of the plan; after a refusal the compensations, in reverse."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from services.coordinator.branch_calls import Answer, Result, refusal
from services.coordinator.execution import Execution
from services.coordinator.transaction import ABORTING, FAILED, PREPARED, SUBMITTED, SUCCEED, now_utc

# After a refusal: how long compensation waits for actions in flight. Barriers cover those that take longer.
_GRACE_SECONDS = 1.0


def compensation_of(step: int) -> int:
    """The position of a step's compensation among the branches; its action follows."""
    return 2 * step


def action_of(step: int) -> int:
    return 2 * step + 1


class SagaPass:
    """Steps count from 0."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._trans, self._branches = execution.trans, execution.branches
        self._steps = range(len(execution.branches) // 2)
        self._reason = ""
        self._grace_end = float("inf")
        self._retries = 0
        self._again: list[int] = []
        timeout = execution.options.timeout_to_fail
        left = timeout - self._trans.age(now_utc())
        self._timeout_at = monotonic() + left if timeout > 0 else float("inf")

    async def run(self) -> None:
        if self._trans.status == SUBMITTED:
            await self._go_forward()
        if self._trans.status == ABORTING:
            await self._compensate()

    async def _go_forward(self) -> None:
        if any(self._status(action_of(step)) == FAILED for step in self._steps):
            self._reason = "fail message lost"
        await self._execution.call(self._ready_actions, self._settle_action, self._forward_deadline)
        if not self._reason and self._all_succeeded():
            await self._execution.change(SUCCEED)
        elif not self._give_up():
            await self._execution.leave()
        else:
            await self._execution.change(ABORTING, self._reason)

    def _ready_actions(self) -> Sequence[int]:
        if self._give_up():
            return ()
        again, self._again = self._again, []
        ready = [action_of(step) for step in self._steps if self._may_start(step)]
        return again + [position for position in ready if position not in self._execution.called]

    def _settle_action(self, position: int, answer: Answer) -> None:
        if answer.result is Result.SUCCESS:
            self._execution.decide(position, SUCCEED)
        elif answer.result is Result.FAILURE:
            self._execution.decide(position, FAILED)
            self._stop(refusal(self._branches[position].url, answer.text))
        elif limit := self._execution.options.retry_limit:
            if self._retries < limit:
                self._retries += 1
                self._again.append(position)
            else:
                self._stop(f"RetryCount is greater than RetryLimit, RetryLimit: {limit}")

    def _stop(self, reason: str) -> None:
        """No action starts any more; the first reason is kept."""
        self._reason = self._reason or reason
        self._grace_end = min(self._grace_end, monotonic() + _GRACE_SECONDS)

    def _give_up(self) -> bool:
        if not self._reason and monotonic() >= self._timeout_at and not self._all_succeeded():
            self._stop(f"Timeout after {self._execution.options.timeout_to_fail} seconds")
        return bool(self._reason)

    def _forward_deadline(self) -> float:
        return min(self._grace_end, self._timeout_at)

    async def _compensate(self) -> None:
        await self._execution.call(self._ready_compensations, self._settle_compensation, lambda: float("inf"))
        if self._to_compensate():
            await self._execution.leave()
        else:
            await self._execution.change(FAILED)

    def _ready_compensations(self) -> Sequence[int]:
        waiting = self._to_compensate()
        free = [step for step in waiting if not self._execution.plan.behind[step] & waiting]
        return [compensation_of(step) for step in free if compensation_of(step) not in self._execution.called]

    def _settle_compensation(self, position: int, answer: Answer) -> None:
        if answer.result is Result.SUCCESS:
            self._execution.decide(position, SUCCEED)
        elif answer.result is Result.FAILURE:  # a compensation cannot fail: it is tried until it succeeds
            self._execution.note_error(answer)

    def _to_compensate(self) -> frozenset[int]:
        """Steps whose action was done, refused or may have been called, and whose effect still stands."""
        return frozenset(
            step
            for step in self._steps
            if self._status(compensation_of(step)) == PREPARED
            and (self._status(action_of(step)) != PREPARED or self._was_possibly_called(step))
        )

    def _was_possibly_called(self, step: int) -> bool:
        return action_of(step) in self._execution.called or self._may_start(step)

    def _may_start(self, step: int) -> bool:
        """Whether the action is undecided and every step before it has succeeded."""
        return self._status(action_of(step)) == PREPARED and all(
            self._status(action_of(earlier)) == SUCCEED for earlier in self._execution.plan.before[step]
        )

    def _all_succeeded(self) -> bool:
        return all(self._status(action_of(step)) == SUCCEED for step in self._steps)

    def _status(self, position: int) -> str:
        return self._branches[position].status
