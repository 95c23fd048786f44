"""A store in memory and participants with barriers, for passes without a network."""

from __future__ import annotations

import asyncio
import copy
from datetime import timedelta

from services.coordinator.branch_calls import Answer, Result
from services.coordinator.settings import Settings
from services.coordinator.store import StatusConflict, Stored
from services.coordinator.transaction import (
    ACTION,
    COMPENSATE,
    MESSAGE,
    PREPARED,
    SAGA,
    SUBMITTED,
    Branch,
    Transaction,
    now_utc,
)

SETTINGS = Settings(STORE_DRIVER="redis", STORE_HOST="nowhere")
SUCCESS, FAILURE, ONGOING, ERROR = (Answer(result, result.value) for result in Result)


class Crash(Exception):
    """The process ends here."""


class MemoryStore:
    """Keeps what was saved; `crash_at` makes that save (counted from 0) fail, before it is written or after."""

    def __init__(self, stored: Stored) -> None:
        self.stored = copy.deepcopy(stored)
        self.saves: list[tuple[str, set[int]]] = []
        self.crash_at: tuple[int, bool] | None = None

    def load(self) -> Stored:
        return copy.deepcopy(self.stored)

    async def save(self, trans, expected, changed) -> None:
        await asyncio.sleep(0)
        number, self.saves = len(self.saves), [*self.saves, (trans.status, set(changed))]
        if self.crash_at == (number, False):
            raise Crash
        if self.stored.trans.status != expected:
            raise StatusConflict(trans.gid)
        branches = list(self.stored.branches)
        for position, branch in changed.items():
            branches[position] = copy.deepcopy(branch)
        self.stored = Stored(copy.deepcopy(trans), branches)
        if self.crash_at == (number, True):
            raise Crash


class Participants:
    """Answers by URL in turn, the last one for ever (SUCCESS where nothing is said), and keeps barriers."""

    def __init__(self, store: MemoryStore, answers: dict[str, list[Answer]] | None = None) -> None:
        self._store = store
        self._answers = {url: list(given) for url, given in (answers or {}).items()}
        self.calls: list[str] = []
        self.saved_before: dict[str, list[str]] = {}
        self.done: set[str] = set()
        self.barred: set[str] = set()

    async def call(self, origin, url, branch_id, op, payload) -> Answer:
        self.calls.append(url)
        self.saved_before[url] = [branch.status for branch in self._store.stored.branches]
        await asyncio.sleep(0)
        given = self._answers.get(url, [SUCCESS])
        answer = given.pop(0) if len(given) > 1 else given[0]
        if answer.result is Result.SUCCESS:
            if op == ACTION and branch_id not in self.barred:
                self.done.add(branch_id)
            elif op == COMPENSATE:
                self.barred.add(branch_id)
                self.done.discard(branch_id)
        return answer


def saga(steps: int, custom_data: str = "", age: float = 0, **options: int) -> Stored:
    """A submitted saga; step i (from 0) has the URLs `a<i>` and `c<i>`."""
    branches = [
        branch(step, op, f"{prefix}{step}")
        for step in range(steps)
        for op, prefix in ((COMPENSATE, "c"), (ACTION, "a"))
    ]
    return Stored(transaction(SAGA, SUBMITTED, custom_data, age, options), branches)


def message(steps: int, status: str = SUBMITTED, custom_data: str = "", age: float = 0, **options: int) -> Stored:
    branches = [branch(step, ACTION, f"a{step}") for step in range(steps)]
    stored = Stored(transaction(MESSAGE, status, custom_data, age, options), branches)
    stored.trans.query_prepared = "q"
    return stored


def transaction(trans_type, status, custom_data, age, options):
    import json

    created = now_utc() - timedelta(seconds=age)
    return Transaction(
        create_time=created, update_time=created, gid="g", trans_type=trans_type, status=status,
        protocol="grpc", options=json.dumps(options), custom_data=custom_data, next_cron_interval=0,
    )  # fmt: skip


def branch(step, op, url):
    now = now_utc()
    return Branch(
        create_time=now, update_time=now, gid="g", url=url, branch_id=f"{step + 1:02d}", op=op, status=PREPARED
    )
