"""Coordinator: what both APIs offer. It checks a request, stores it, and only then starts the pass over it."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import grpc
import msgspec

from services.coordinator.branch_calls import Result
from services.coordinator.passes import Outcome, Passes
from services.coordinator.plan import Plan, read_plan
from services.coordinator.settings import Settings
from services.coordinator.store import Filter, StatusConflict, Store, Stored
from services.coordinator.topics import TOPIC_SCHEME, Topics
from services.coordinator.transaction import (
    ACTION,
    COMPENSATE,
    FAILED,
    LARGEST,
    MESSAGE,
    PREPARED,
    SAGA,
    SUBMITTED,
    SUCCEED,
    Branch,
    Options,
    Transaction,
    after,
    base_interval,
    now_utc,
)

_GID_ALPHABET = string.ascii_letters + string.digits
_MAX_GID = 128


class Refused(Exception):
    """A definite no: HTTP 409, gRPC ABORTED. The message ends in FAILURE, as DTM's does."""


class UnknownGid(Exception):
    """There is no such transaction."""


class Fault(Exception):
    """The first pass broke off; what was stored is taken up again."""


class Undecided(Exception):
    """A message was stored, but its first delivery failed; it is retried. `code` is the gRPC participant's."""

    def __init__(self, message: str, code: grpc.StatusCode | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Request:
    """A transaction as a client asks for it: payload i goes to the action and the compensation of step i."""

    gid: str
    trans_type: str
    steps: Sequence[Mapping[str, str]] = ()
    payloads: Sequence[bytes] = ()
    query_prepared: str = ""
    custom_data: str = ""
    protocol: str = "http"
    options: Options = field(default_factory=Options)


class Coordinator:
    """Malformed requests raise ValueError and change nothing; a store that fails raises a ShopError."""

    def __init__(self, store: Store, passes: Passes, topics: Topics, settings: Settings) -> None:
        self._store = store
        self._passes = passes
        self._topics = topics
        self._settings = settings
        # The first pass runs inside a submit with wait_result for so long: a call, and what may follow it.
        self._patience = settings.request_timeout + 3

    async def prepare(self, request: Request) -> None:
        """Stores a transaction that does nothing until it is submitted; repeatable."""
        new = await self._build(request, PREPARED)
        if await self._store.create(new):
            return
        status = (await self._find(request.gid)).trans.status
        if status != PREPARED:
            raise Refused(f"current status '{status}', cannot prepare. FAILURE")

    async def submit(self, request: Request) -> None:
        """Stores or releases a transaction and starts it; with wait_result the outcome decides the answer."""
        new = await self._build(request, SUBMITTED)
        stored, moved = await self._store.submit(new)
        if not moved:
            # A client that asks again and again must not make cron ever slower.
            stored.trans.next_cron_interval = new.trans.next_cron_interval
            await self._require_submitted(stored.trans)
        task = self._passes.start(stored, moved=moved)
        if request.options.wait_result:
            await asyncio.wait({task}, timeout=self._patience)
            _raise_unless_succeeded(stored.trans.trans_type, task.result() if task.done() else None)

    async def abort(self, gid: str) -> None:
        """Ends a prepared message."""
        trans = (await self._find(gid)).trans
        if trans.trans_type == MESSAGE and trans.status == PREPARED:
            if await self._change(trans, FAILED, now_utc()):
                return
            trans = (await self._find(gid)).trans
        raise Refused(f"trans type: '{trans.trans_type}' current status '{trans.status}', cannot abort. FAILURE")

    async def force_stop(self, gid: str) -> None:
        """Ends an unfinished transaction as failed, without compensation."""
        for _ in range(10):  # a pass may change the status meanwhile
            trans = (await self._find(gid)).trans
            if trans.finished:
                break
            if await self._change(trans, FAILED, now_utc()):
                return
        raise Refused(f"global transaction force stop error. status: {trans.status}. error: FAILURE")

    async def retry_now(self, gid: str) -> None:
        """Makes an unfinished transaction due."""
        trans = (await self._find(gid)).trans
        if trans.finished:
            raise Refused(f"current status '{trans.status}', nothing to retry. FAILURE")
        if not await self._change(trans, trans.status, now_utc()):
            raise Refused(f"the status of {gid} is changing. FAILURE")

    async def retry_all_now(self, later_than: int, limit: int) -> tuple[int, bool]:
        """Makes unfinished transactions due that wait for more than `later_than` seconds: how many, are there more."""
        now = now_utc()
        return await self._store.make_due(after(now, later_than), now, limit)

    async def query(self, gid: str) -> Stored | None:
        return await self._store.load(gid)

    async def list_transactions(self, position: str, limit: int, wanted: Filter) -> tuple[Sequence[Transaction], str]:
        return await self._store.list_transactions(position, limit, wanted)

    async def _find(self, gid: str) -> Stored:
        stored = await self._store.load(gid)
        if stored is None:
            raise UnknownGid(f"no TransGlobal with gid: {gid} found")
        return stored

    async def _require_submitted(self, trans: Transaction) -> None:
        """Refuses unless it is submitted. Where no pass runs here, the lease is taken: the copy may be out of date."""
        if trans.status == SUBMITTED:
            lease_end = after(now_utc(), self._settings.retry_interval)
            if self._passes.runs(trans.gid) or await self._change(trans, SUBMITTED, lease_end):
                return
        status = (await self._find(trans.gid)).trans.status
        raise Refused(f"current status '{status}', cannot sumbmit. FAILURE")

    async def _change(self, trans: Transaction, status: str, due: datetime) -> bool:
        """Writes status and schedule; False when another change of the status came first."""
        expected = trans.status
        trans.change(status, now_utc())
        trans.schedule(due)
        try:
            await self._store.save(trans, expected, {})
        except StatusConflict:
            return False
        return True

    async def _build(self, request: Request, status: str) -> Stored:
        _check(request)
        plan = read_plan(request.trans_type, request.custom_data, len(request.steps))
        now = now_utc()
        trans = Transaction(
            create_time=now,
            update_time=now,
            gid=request.gid,
            trans_type=request.trans_type,
            status=status,
            query_prepared=request.query_prepared,
            protocol=request.protocol,
            options=msgspec.json.encode(request.options).decode(),
            custom_data=request.custom_data,
            next_cron_interval=base_interval(request.options, self._settings.retry_interval),
            concurrent=bool(request.options.concurrent),
        )
        trans.schedule(self._first_turn(request, status, plan, now))
        return Stored(trans, await self._branches(request, now))

    def _first_turn(self, request: Request, status: str, plan: Plan, now: datetime) -> datetime:
        """When cron looks at it: after the lease of the first pass, or when a silent sender is to be asked."""
        if status == PREPARED and request.trans_type == MESSAGE:
            return after(now, request.options.timeout_to_fail or self._settings.timeout_to_fail)
        return after(now, self._settings.retry_interval)

    async def _branches(self, request: Request, now: datetime) -> list[Branch]:
        branches = []

        def add(branch_id: str, op: str, url: str, payload: bytes) -> None:
            branches.append(
                Branch(
                    create_time=now, update_time=now, gid=request.gid,
                    url=url, bin_data=payload, branch_id=branch_id, op=op, status=PREPARED,
                )
            )  # fmt: skip

        for number, (step, payload) in enumerate(zip(request.steps, request.payloads, strict=False), 1):
            branch_id, action = f"{number:02d}", step.get(ACTION, "")
            if request.trans_type == SAGA:
                add(branch_id, COMPENSATE, step.get(COMPENSATE, ""), payload)
                add(branch_id, ACTION, action, payload)
            elif action.startswith(TOPIC_SCHEME):
                urls = await self._topics.subscribers(action.removeprefix(TOPIC_SCHEME))
                for index, url in enumerate(urls, 1):
                    add(f"{branch_id}-{index:02d}" if len(urls) > 1 else branch_id, ACTION, url, payload)
            else:
                add(branch_id, ACTION, action, payload)
        return branches


def new_gid() -> str:
    return "".join(secrets.choice(_GID_ALPHABET) for _ in range(22))


def _check(request: Request) -> None:
    if not 1 <= len(request.gid) <= _MAX_GID:
        raise ValueError(f"gid: expected 1 to {_MAX_GID} characters")
    if request.trans_type not in (SAGA, MESSAGE):
        raise ValueError(f"trans_type: '{request.trans_type}' is not {SAGA} or {MESSAGE}")
    if request.protocol not in ("http", "grpc"):
        raise ValueError(f"protocol: '{request.protocol}' is not http or grpc")
    if len(request.payloads) < len(request.steps):
        raise ValueError(f"payloads: {len(request.payloads)} for {len(request.steps)} steps")
    options = request.options
    for name in ("timeout_to_fail", "retry_interval", "request_timeout", "retry_limit"):
        if not 0 <= getattr(options, name) <= LARGEST:
            raise ValueError(f"{name}: expected 0 to {LARGEST}")


def _raise_unless_succeeded(trans_type: str, outcome: Outcome | None) -> None:
    """`outcome` is None while the pass still runs. Without a reason a refusal says nothing about the end."""
    if outcome and outcome.fault:
        raise Fault(f"dtm panic: {outcome.fault}")
    if outcome and outcome.status == SUCCEED:
        return
    if outcome and outcome.reason:
        raise Refused(outcome.reason if outcome.reason.endswith("FAILURE") else f"{outcome.reason} FAILURE")
    if outcome and trans_type == MESSAGE and outcome.answer.result is Result.ERROR:
        raise Undecided(f"an unknown result will be retried: {outcome.answer.text}", outcome.answer.code)
    raise Refused("wait result not return success: FAILURE")
