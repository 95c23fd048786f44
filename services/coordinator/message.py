"""A pass over a two-phase message: asks back when the sender went silent, then calls every branch until it succeeds."""

from __future__ import annotations

from collections.abc import Sequence

from services.coordinator.branch_calls import Answer, Result
from services.coordinator.execution import Execution
from services.coordinator.transaction import FAILED, PREPARED, SUBMITTED, SUCCEED, after, now_utc


class MessagePass:
    """`timeout` in seconds: the age at which a prepared message is asked about."""

    def __init__(self, execution: Execution, timeout: int) -> None:
        self._execution = execution
        self._trans, self._branches = execution.trans, execution.branches
        self._timeout = execution.options.timeout_to_fail or timeout

    async def run(self) -> None:
        if self._trans.status == PREPARED:
            await self._ask_back()
        if self._trans.status == SUBMITTED:
            await self._deliver()

    async def _ask_back(self) -> None:
        if self._trans.age(now_utc()) < self._timeout:
            await self._execution.leave(after(self._trans.create_time, self._timeout))
            return
        answer = await self._execution.query_prepared()
        if answer.result is Result.SUCCESS:
            await self._execution.change(SUBMITTED)
        elif answer.result is Result.FAILURE:
            await self._execution.change(FAILED)
        else:
            if answer.result is Result.ONGOING:
                self._trans.next_cron_interval = self._execution.base
            await self._execution.leave()

    async def _deliver(self) -> None:
        delay = self._execution.plan.delay
        if delay and self._trans.age(now_utc()) < delay:
            await self._execution.leave(after(self._trans.create_time, delay))
            return
        await self._execution.call(self._ready, self._settle, lambda: float("inf"))
        if self._undelivered():
            await self._execution.leave()
        else:
            await self._execution.change(SUCCEED)

    def _ready(self) -> Sequence[int]:
        undelivered = self._undelivered()
        if not self._execution.options.concurrent:
            undelivered = undelivered[:1]  # the next one starts when the one before it has succeeded
        return [position for position in undelivered if position not in self._execution.called]

    def _settle(self, position: int, answer: Answer) -> None:
        if answer.result is Result.SUCCESS:
            self._execution.decide(position, SUCCEED)
        elif answer.result is Result.FAILURE:  # a message cannot be refused: it is delivered until it is taken
            self._execution.note_error(answer)

    def _undelivered(self) -> list[int]:
        return [position for position, branch in enumerate(self._branches) if branch.status == PREPARED]
