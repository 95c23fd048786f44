"""Runs passes: those of submits at once, those of cron as they fall due; never two at a time for one gid here.

Other instances are kept away by the lease in the store, which a running pass renews.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import structlog

from services.common.errors import ShopError
from services.coordinator import metrics
from services.coordinator.branch_calls import Answer, BranchCaller, Result
from services.coordinator.execution import Execution
from services.coordinator.message import MessagePass
from services.coordinator.saga import SagaPass
from services.coordinator.settings import Settings
from services.coordinator.store import StatusConflict, Store, Stored
from services.coordinator.transaction import MESSAGE, SAGA, SUCCEED, Transaction, now_utc

log = structlog.get_logger()


class Outcome(NamedTuple):
    """What a pass has written: the status, the rollback reason, and the last answer that stood in the way.

    `fault`: the pass broke off, and what the store holds is unknown here.
    """

    status: str
    reason: str
    answer: Answer
    fault: str = ""


class Passes:
    """A resource: closing it waits for the passes that run."""

    name = "passes"

    def __init__(self, store: Store, caller: BranchCaller, settings: Settings) -> None:
        self._store = store
        self._caller = caller
        self._settings = settings
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}

    async def open(self) -> None:
        """Nothing runs yet."""

    async def close(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def check(self) -> None:
        """Whatever it needs is asked elsewhere."""

    def runs(self, gid: str) -> bool:
        return gid in self._tasks

    def start(self, stored: Stored, *, moved: bool = False) -> asyncio.Task[Outcome]:
        """The pass over this transaction: the one that runs already, or a new one.

        `moved`: the status has just changed, so a pass that runs knows less than this one, which follows it.
        """
        gid = stored.trans.gid
        running = self._tasks.get(gid)
        if running and not moved:
            return running
        task = asyncio.create_task(self._run(stored, running))
        self._tasks[gid] = task
        task.add_done_callback(lambda done: self._forget(gid, done))
        return task

    def _forget(self, gid: str, task: asyncio.Task[Outcome]) -> None:
        if self._tasks.get(gid) is task:
            del self._tasks[gid]

    async def _run(self, stored: Stored, previous: asyncio.Task[Outcome] | None) -> Outcome:
        """Errors are logged: cron tries again."""
        if previous:
            await asyncio.wait({previous})
        trans = stored.trans
        fault = ""
        try:
            execution = Execution(stored, self._store, self._caller, self._settings)
            await self._pass_over(trans, execution).run()
            return Outcome(trans.status, trans.rollback_reason, execution.last_error)
        except StatusConflict:
            log.info("status changed elsewhere", gid=trans.gid)
            fault = "the status changed meanwhile"
        except ShopError as error:
            log.warning("pass stopped", gid=trans.gid, error=error.message)
            fault = error.message
        except Exception as error:
            log.exception("pass failed", gid=trans.gid)
            fault = f"{type(error).__name__}: {error}"
        finally:
            metrics.count_pass(trans.trans_type, not fault and trans.status == SUCCEED, trans.age(now_utc()))
        return Outcome("", "", Answer(Result.ERROR), fault)

    def _pass_over(self, trans: Transaction, execution: Execution) -> SagaPass | MessagePass:
        if trans.trans_type == SAGA:
            return SagaPass(execution)
        if trans.trans_type == MESSAGE:
            return MessagePass(execution, self._settings.timeout_to_fail)
        raise ValueError(f"transactions of type {trans.trans_type} need the original DTM")
