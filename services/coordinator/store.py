"""What a store can do. Each of its operations is atomic and safe against other coordinators on the same store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from services.coordinator.transaction import Branch, Transaction

log = structlog.get_logger()

Record = TypeVar("Record")
Read = TypeVar("Read")


class StatusConflict(Exception):
    """Somebody else changed the transaction's status, or it is gone: nothing was written."""


class Stored(NamedTuple):
    """A transaction with its branches in the order of their execution."""

    trans: Transaction
    branches: list[Branch]


class Submitted(NamedTuple):
    """What the store holds after a submit; `moved` when this submit made it so."""

    stored: Stored
    moved: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which transactions `list_transactions` gives; empty fields match all. Times bound create_time."""

    status: str = ""
    trans_type: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None

    def matches(self, trans: Transaction) -> bool:
        return (
            self.status in ("", trans.status)
            and self.trans_type in ("", trans.trans_type)
            and (self.created_from is None or trans.create_time >= self.created_from)
            and (self.created_to is None or trans.create_time <= self.created_to)
        )


class KeyValue(msgspec.Struct, kw_only=True):
    """A row of DTM's table kv: topics lie in the category `topics`."""

    id: int = 0
    create_time: datetime
    update_time: datetime
    cat: str
    k: str
    v: str
    version: int = 1


class Store(Protocol):
    """MySQL or Redis. A store that cannot be reached raises a ShopError and promises nothing about the write."""

    name: str

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def check(self) -> None: ...

    async def create(self, new: Stored) -> bool:
        """Stores a transaction with all its branches; False when the gid exists."""

    async def submit(self, new: Stored) -> Submitted:
        """Stores a submitted transaction, or moves the prepared one of that gid to submitted."""

    async def load(self, gid: str) -> Stored | None: ...

    async def save(self, trans: Transaction, expected: str, changed: Mapping[int, Branch]) -> None:
        """Writes status, times and schedule of a transaction and its changed branches (by position), all or nothing.

        StatusConflict when the stored status is not `expected`.
        """

    async def lease(self, now: datetime, until: datetime, limit: int) -> list[Stored]:
        """Takes transactions that are due: nobody else gets them before `until`."""

    async def make_due(self, later_than: datetime, now: datetime, limit: int) -> tuple[int, bool]:
        """Makes unfinished transactions due that would be due after `later_than`: how many, and are there more."""

    async def list_transactions(self, position: str, limit: int, wanted: Filter) -> tuple[Sequence[Transaction], str]:
        """A page and the position of the next one, empty at the end."""

    async def get_value(self, category: str, key: str) -> KeyValue | None: ...

    async def put_value(self, value: KeyValue, expected_version: int) -> bool:
        """Writes a value; False unless the stored version is `expected_version` (0: there is none)."""

    async def delete_value(self, category: str, key: str) -> bool: ...

    async def list_values(self, category: str, position: str, limit: int) -> tuple[Sequence[KeyValue], str]: ...


def readable(records: Iterable[tuple[str, Record]], read: Callable[[Record], Read]) -> list[Read]:
    """What can be read of what was leased, given by gid: a spoiled record must not hold up those due with it."""
    found = []
    for gid, record in records:
        try:
            found.append(read(record))
        except Exception:
            log.exception("a transaction cannot be read", gid=gid)
    return found
