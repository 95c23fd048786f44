"""The MySQL store: DTM's tables. Writes that wait while others are in flight share one transaction (group commit)."""

# ruff: noqa: S608 - only column names and placeholders are put together; every value is bound

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.common.batching import Batcher
from services.common.errors import ShopError
from services.coordinator.mysql_pool import MysqlPool, Refused
from services.coordinator.mysql_rows import (
    STORED_BRANCH,
    STORED_GLOBAL,
    UNFINISHED_LIST,
    Statement,
    Write,
    insert,
    marks,
    read_branch,
    read_key_value,
    read_transaction,
    time_down,
    time_up,
    update,
)
from services.coordinator.store import Filter, KeyValue, StatusConflict, Stored, Submitted, readable
from services.coordinator.transaction import PREPARED, SUBMITTED, Branch, Transaction

_DUPLICATE = 1062


class MysqlStore:
    """A resource, and a Store (store.py)."""

    def __init__(self, pool: MysqlPool, writers: int) -> None:
        self.name = pool.name
        self._pool = pool
        self._writes: Batcher[Write, bool] = Batcher("dtm store", self._write_all, max_items=64, in_flight=writers)

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def check(self) -> None:
        await self._pool.check()

    async def create(self, new: Stored) -> bool:
        return await self._writes.add(insert(new))

    async def submit(self, new: Stored) -> Submitted:
        if await self.create(new):
            return Submitted(new, moved=True)
        stored = await self.load(new.trans.gid)
        if stored is None:
            raise ShopError("the transaction was there and is gone: somebody deletes rows")
        if stored.trans.status != PREPARED:
            return Submitted(stored, moved=False)
        stored.trans.change(SUBMITTED, new.trans.update_time)
        stored.trans.next_cron_time = new.trans.next_cron_time
        try:
            await self.save(stored.trans, PREPARED, {})
        except StatusConflict:
            return Submitted(await self.load(new.trans.gid) or stored, moved=False)
        return Submitted(stored, moved=True)

    async def save(self, trans: Transaction, expected: str, changed: Mapping[int, Branch]) -> None:
        if not await self._writes.add(update(trans, expected, list(changed.values()))):
            raise StatusConflict(trans.gid)

    async def load(self, gid: str) -> Stored | None:
        found = await self._select(f"SELECT {STORED_GLOBAL} FROM trans_global WHERE gid=%s", (gid,))
        return (await self._with_branches([read_transaction(found[0])]))[0] if found else None

    async def lease(self, now: datetime, until: datetime, limit: int) -> list[Stored]:
        moment = time_down(now)
        due = await self._select(
            f"SELECT id FROM trans_global WHERE status IN {UNFINISHED_LIST} AND next_cron_time<=%s "
            "ORDER BY next_cron_time LIMIT %s",
            (moment, limit),
        )
        if not due:
            return []
        ids, owner = sorted(row["id"] for row in due), uuid.uuid4().hex
        sql = (
            f"UPDATE trans_global SET owner=%s, next_cron_time=%s WHERE id IN ({marks(ids)}) "
            f"AND status IN {UNFINISHED_LIST} AND next_cron_time<=%s"
        )
        if not await self._writes.add([Statement(sql, (owner, time_up(until), *ids, moment))]):
            return []
        mine = await self._select(f"SELECT {STORED_GLOBAL} FROM trans_global WHERE owner=%s", (owner,))
        return await self._with_branches(readable(((row["gid"], row) for row in mine), read_transaction))

    async def make_due(self, later_than: datetime, now: datetime, limit: int) -> tuple[int, bool]:
        found = await self._select(
            f"SELECT id FROM trans_global WHERE status IN {UNFINISHED_LIST} AND next_cron_time>%s LIMIT %s",
            (time_up(later_than), limit + 1),
        )
        ids = sorted(row["id"] for row in found)[:limit]
        if ids:
            sql = (
                f"UPDATE trans_global SET next_cron_time=%s WHERE id IN ({marks(ids)}) AND status IN {UNFINISHED_LIST}"
            )
            await self._writes.add([Statement(sql, (time_down(now), *ids))])
        return len(ids), len(found) > limit

    async def list_transactions(self, position: str, limit: int, wanted: Filter) -> tuple[Sequence[Transaction], str]:
        conditions: list[tuple[str, Any]] = [
            ("id<%s", int(position) if position else None),
            ("status=%s", wanted.status or None),
            ("trans_type=%s", wanted.trans_type or None),
            ("create_time>=%s", wanted.created_from and time_down(wanted.created_from)),
            ("create_time<=%s", wanted.created_to and time_up(wanted.created_to)),
        ]
        used = [(sql, value) for sql, value in conditions if value is not None]
        where = " AND ".join(sql for sql, _ in used) or "TRUE"
        rows = await self._select(
            f"SELECT {STORED_GLOBAL} FROM trans_global WHERE {where} ORDER BY id DESC LIMIT %s",
            (*(value for _, value in used), limit),
        )
        return [read_transaction(row) for row in rows], str(rows[-1]["id"]) if len(rows) == limit else ""

    async def get_value(self, category: str, key: str) -> KeyValue | None:
        rows = await self._select("SELECT * FROM kv WHERE cat=%s AND k=%s", (category, key))
        return read_key_value(rows[0]) if rows else None

    async def put_value(self, value: KeyValue, expected_version: int) -> bool:
        written: tuple[Any, ...]
        if expected_version:
            sql = "UPDATE kv SET v=%s, version=%s, update_time=%s WHERE cat=%s AND k=%s AND version=%s"
            written = (value.v, value.version, time_up(value.update_time), value.cat, value.k, expected_version)
        else:
            sql = "INSERT INTO kv (v, version, update_time, create_time, cat, k) VALUES (%s,%s,%s,%s,%s,%s)"
            written = (
                value.v,
                value.version,
                time_up(value.update_time),
                time_up(value.create_time),
                value.cat,
                value.k,
            )
        return await self._writes.add([Statement(sql, written)])

    async def delete_value(self, category: str, key: str) -> bool:
        return await self._writes.add([Statement("DELETE FROM kv WHERE cat=%s AND k=%s", (category, key))])

    async def list_values(self, category: str, position: str, limit: int) -> tuple[Sequence[KeyValue], str]:
        rows = await self._select(
            "SELECT * FROM kv WHERE cat=%s AND id<%s ORDER BY id DESC LIMIT %s",
            (category, int(position) if position else 2**62, limit),
        )
        return [read_key_value(row) for row in rows], str(rows[-1]["id"]) if len(rows) == limit else ""

    async def _write_all(self, writes: list[Write]) -> Sequence[bool | ShopError]:
        """All writes in one transaction; when the database refuses one of them, each in its own."""
        try:
            counts = await self._pool.write([statement for write in writes for statement in write])
        except Refused as error:  # a duplicate gid, a value too long: it must fail alone
            if len(writes) > 1:
                return [(await self._write_all([write]))[0] for write in writes]
            return [False if error.number == _DUPLICATE else error]
        done, first = [], 0
        for write in writes:
            done.append(counts[first] > 0)
            first += len(write)
        return done

    async def _select(self, sql: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self._pool.select(Statement(sql, parameters))

    async def _with_branches(self, transactions: Sequence[Transaction]) -> list[Stored]:
        found = {trans.gid: Stored(trans, []) for trans in transactions}
        if found:
            sql = f"SELECT {STORED_BRANCH} FROM trans_branch_op WHERE gid IN ({marks(found)}) ORDER BY id"
            for row in await self._select(sql, tuple(found)):
                found[row["gid"]].branches.append(read_branch(row))
        return list(found.values())
