"""The coordinator's data: a global transaction and its branches, as DTM's tables and Redis values spell them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec

SAGA, MESSAGE = "saga", "msg"
PREPARED, SUBMITTED, ABORTING, SUCCEED, FAILED = "prepared", "submitted", "aborting", "succeed", "failed"
UNFINISHED = (PREPARED, SUBMITTED, ABORTING)
FINISHED = (SUCCEED, FAILED)
ACTION, COMPENSATE = "action", "compensate"

MAX_RETRY_INTERVAL = 30
LARGEST = 2**31 - 1  # what a column holds; more seconds would lead a pass out of the calendar, again and again
_MAX_REASON = 1024  # characters of the column


class Options(msgspec.Struct, omit_defaults=True):
    """Options of one transaction; times in seconds, 0 means the server's default."""

    wait_result: bool = False
    timeout_to_fail: int = 0
    retry_interval: int = 0
    branch_headers: dict[str, str] = {}
    request_timeout: int = 0
    retry_limit: int = 0
    concurrent: bool | None = None  # always written, as DTM does


class Transaction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A global transaction. `options` and `custom_data` hold JSON (Options, and plan.py); times are UTC."""

    id: int = msgspec.field(default_factory=int)
    create_time: datetime
    update_time: datetime
    gid: str
    trans_type: str
    status: str
    query_prepared: str = ""
    protocol: str = ""
    finish_time: datetime | None = None
    rollback_time: datetime | None = None
    options: str = ""
    custom_data: str = ""
    next_cron_interval: int = 0
    next_cron_time: datetime | None = None
    owner: str = ""
    result: str = ""
    rollback_reason: str = ""
    concurrent: bool | None = None

    def read_options(self) -> Options:
        return _read_options(self.options) if self.options else Options()

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    def age(self, now: datetime) -> float:
        """Seconds since its creation."""
        return (now - self.create_time).total_seconds()

    def change(self, status: str, now: datetime, reason: str = "") -> None:
        """Takes the new status in memory; a store's `save` makes it true."""
        self.status = status
        self.update_time = now
        if reason:
            self.rollback_reason = reason[:_MAX_REASON]
        if status == SUCCEED:
            self.finish_time = now
        elif status == FAILED:
            self.rollback_time = now

    def schedule(self, at: datetime) -> None:
        self.next_cron_time = at


class Branch(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One call that may be made: an action or a compensation of a step, with its payload."""

    id: int = msgspec.field(default_factory=int)
    create_time: datetime
    update_time: datetime
    gid: str
    url: str = ""
    bin_data: bytes = b""
    branch_id: str
    op: str
    status: str
    finish_time: datetime | None = None

    def decide(self, status: str, now: datetime) -> None:
        self.status = status
        self.update_time = self.finish_time = now


_read_options = msgspec.json.Decoder(Options).decode


def now_utc() -> datetime:
    return datetime.now(UTC)


def after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def seconds_up(moment: datetime) -> int:
    """Unix seconds, rounded up: nothing that is stored in whole seconds falls due early."""
    return math.ceil(moment.timestamp())


def base_interval(options: Options, server_interval: int) -> int:
    """Seconds until a transaction is looked at again when nothing went wrong."""
    if options.retry_interval > 0:
        return options.retry_interval
    if 0 < options.timeout_to_fail < server_interval:
        return options.timeout_to_fail
    return server_interval
