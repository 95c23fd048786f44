"""One pass over one transaction: calls branches side by side, saves what they answered, keeps the lease.

saga.py and message.py say what to call next; this file owns when something is written:
before a step starts, everything that let it start; at the end, the rest together with the final status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

from services.coordinator.branch_calls import Answer, BranchCaller, Origin, Result
from services.coordinator.plan import read_plan
from services.coordinator.settings import Settings
from services.coordinator.store import Store, Stored
from services.coordinator.transaction import (
    ACTION,
    MAX_RETRY_INTERVAL,
    Branch,
    after,
    base_interval,
    now_utc,
)

# Results that arrive within this time are written together, unless a step waits for them.
_GATHER_SECONDS = 0.05
_QUERY_BRANCH, _QUERY_OP = "00", "msg"

_calls: set[asyncio.Task[Answer]] = set()  # the event loop itself holds tasks only weakly

Next = Callable[[], Sequence[int]]
Settle = Callable[[int, Answer], None]


class Execution:
    """`trans` and `branches` are this pass's own copies; a StatusConflict ends it."""

    def __init__(self, stored: Stored, store: Store, caller: BranchCaller, settings: Settings) -> None:
        self.trans, self.branches = stored
        self.options = self.trans.read_options()
        actions = sum(branch.op == ACTION for branch in self.branches)
        self.plan = read_plan(self.trans.trans_type, self.trans.custom_data, actions)
        self.base = base_interval(self.options, settings.retry_interval)
        self.trans.next_cron_interval = self.trans.next_cron_interval or self.base
        self.called: set[int] = set()
        self.last_error = Answer(Result.SUCCESS)
        self._store = store
        self._caller = caller
        self._lease = settings.retry_interval
        self._origin = Origin(
            self.trans.gid,
            self.trans.trans_type,
            self.trans.protocol,
            self.options.branch_headers,
            self.options.request_timeout or settings.request_timeout,
        )
        self._running: dict[asyncio.Task[Answer], int] = {}
        self._unsaved: dict[int, Branch] = {}
        self._erred = False
        self._leased = monotonic()

    async def query_prepared(self) -> Answer:
        """Asks the sender of a message whether its local transaction was committed."""
        answer = await self._caller.call(self._origin, self.trans.query_prepared, _QUERY_BRANCH, _QUERY_OP, b"")
        self._note(answer)
        return answer

    async def call(self, ready: Next, settle: Settle, deadline: Callable[[], float]) -> None:
        """Calls what `ready` gives, side by side, and hands each answer to `settle`, until nothing runs.

        `deadline` (monotonic seconds) bounds the wait; calls that still run then are left to themselves.
        """
        while True:
            starting = ready()
            if starting and self._unsaved:
                await self.save()
            for position in starting:
                self._start(position)
            if not self._running or monotonic() >= deadline():
                self._running = {}
                return
            done, _ = await asyncio.wait(
                self._running, timeout=self._patience(deadline()), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                position = self._running.pop(task)
                answer = task.result()
                self._note(answer)
                settle(position, answer)
            if (self._unsaved and not done) or monotonic() - self._leased > self._lease / 4:
                await self.save()

    def decide(self, position: int, status: str) -> None:
        """Notes a branch's final status; it is written by the next save."""
        branch = self.branches[position]
        branch.decide(status, now_utc())
        self._unsaved[position] = branch

    def note_error(self, answer: Answer) -> None:
        """Counts an answer as an error: the transaction is retried after twice the interval."""
        self.last_error = answer
        self._erred = True

    async def save(self) -> None:
        """Writes what was noted and renews the lease."""
        await self._write(self.trans.status, after(now_utc(), self._lease))

    async def change(self, status: str, reason: str = "") -> None:
        """Writes a new status with all that was noted."""
        expected = self.trans.status
        now = now_utc()
        self.trans.change(status, now, reason)
        await self._write(expected, after(now, self._lease))

    async def leave(self, at: datetime | None = None) -> None:
        """Ends the pass unfinished, to be taken up again at `at`, by default after the retry interval."""
        if self._erred:
            interval = self.trans.next_cron_interval * 2
            self.trans.next_cron_interval = min(interval, max(self.base, MAX_RETRY_INTERVAL))
        await self._write(self.trans.status, at or after(now_utc(), self.trans.next_cron_interval))

    async def _write(self, expected: str, next_time: datetime) -> None:
        changed, self._unsaved = self._unsaved, {}
        self.trans.update_time = now_utc()
        self.trans.schedule(next_time)
        self._leased = monotonic()
        await self._store.save(self.trans, expected, changed)

    def _start(self, position: int) -> None:
        branch = self.branches[position]
        call = self._caller.call(self._origin, branch.url, branch.branch_id, branch.op, branch.bin_data)
        task = asyncio.create_task(call)
        self._running[task] = position
        self.called.add(position)
        _calls.add(task)
        task.add_done_callback(_calls.discard)

    def _patience(self, deadline: float) -> float:
        wait = _GATHER_SECONDS if self._unsaved else self._lease / 4
        return max(0.0, min(wait, deadline - monotonic()))

    def _note(self, answer: Answer) -> None:
        if answer.result is Result.SUCCESS:
            self.trans.next_cron_interval = self.base
        elif answer.result is Result.ERROR:
            self.note_error(answer)
        else:
            self.last_error = answer
