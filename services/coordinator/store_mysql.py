"""The MySQL store: DTM's tables. Writes that wait while others are in flight share one transaction (group commit).

Times are whole seconds in UTC, rounded up, so that nothing falls due before its time.
"""

# ruff: noqa: S608 - only column names and placeholders are put together; every value is bound

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.batching import Batcher
from services.common.database import Database
from services.common.errors import ShopError
from services.coordinator.store import Filter, KeyValue, StatusConflict, Stored, Submitted
from services.coordinator.transaction import PREPARED, SUBMITTED, SUCCEED, UNFINISHED, Branch, Transaction, seconds_up

_GLOBAL_COLUMNS = (
    "gid, trans_type, status, query_prepared, protocol, create_time, update_time, options, custom_data, "
    "next_cron_interval, next_cron_time"
)
_BRANCH_COLUMNS = "gid, url, bin_data, branch_id, op, status, create_time, update_time"
_INSERT_GLOBALS = f"INSERT INTO trans_global ({_GLOBAL_COLUMNS}) VALUES "
_INSERT_BRANCHES = f"INSERT INTO trans_branch_op ({_BRANCH_COLUMNS}) VALUES "
_SET_GLOBAL = (
    "g.status=%s, g.update_time=%s, g.finish_time=%s, g.rollback_time=%s, g.rollback_reason=%s, "
    "g.next_cron_interval=%s, g.next_cron_time=%s"
)
_SAVE_GLOBAL = f"UPDATE trans_global g SET {_SET_GLOBAL} WHERE g.gid=%s AND g.status=%s"
_UNFINISHED = "('" + "','".join(UNFINISHED) + "')"
_STORED_GLOBAL = (
    "id, create_time, update_time, gid, trans_type, status, query_prepared, protocol, finish_time, rollback_time, "
    "options, custom_data, next_cron_interval, next_cron_time, owner, result, rollback_reason"
)
_STORED_BRANCH = "id, create_time, update_time, gid, url, bin_data, branch_id, op, status, finish_time"


class _Statement(NamedTuple):
    sql: str
    parameters: tuple[Any, ...]


# One atomic write. Its first statement matches no row when the write must not happen.
_Write = Sequence[_Statement]


class MysqlStore:
    """A resource, and a Store (store.py)."""

    def __init__(self, database: Database, writers: int) -> None:
        self.name = database.name
        self._database = database
        self._writes: Batcher[_Write, bool] = Batcher("dtm store", self._write_all, max_items=64, in_flight=writers)

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def check(self) -> None:
        await self._database.check()

    async def create(self, new: Stored) -> bool:
        return await self._writes.add(_insert(new))

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
        if not await self._writes.add(_update(trans, expected, list(changed.values()))):
            raise StatusConflict(trans.gid)

    async def load(self, gid: str) -> Stored | None:
        async with self._database.read() as connection:
            found = await _select(connection, f"SELECT {_STORED_GLOBAL} FROM trans_global WHERE gid=%s", (gid,))
            return (await _with_branches(connection, found))[0] if found else None

    async def lease(self, now: datetime, until: datetime, limit: int) -> list[Stored]:
        moment = _time_down(now)
        async with self._database.read() as connection:
            due = await _select(
                connection,
                f"SELECT id FROM trans_global WHERE status IN {_UNFINISHED} AND next_cron_time<=%s "
                "ORDER BY next_cron_time LIMIT %s",
                (moment, limit),
            )
        if not due:
            return []
        ids, owner = sorted(row.id for row in due), uuid.uuid4().hex
        sql = (
            f"UPDATE trans_global SET owner=%s, next_cron_time=%s WHERE id IN ({_marks(ids)}) "
            f"AND status IN {_UNFINISHED} AND next_cron_time<=%s"
        )
        if not await self._writes.add([_Statement(sql, (owner, _time(until), *ids, moment))]):
            return []
        async with self._database.read() as connection:
            mine = await _select(connection, f"SELECT {_STORED_GLOBAL} FROM trans_global WHERE owner=%s", (owner,))
            return await _with_branches(connection, mine)

    async def make_due(self, later_than: datetime, now: datetime, limit: int) -> tuple[int, bool]:
        async with self._database.read() as connection:
            found = await _select(
                connection,
                f"SELECT id FROM trans_global WHERE status IN {_UNFINISHED} AND next_cron_time>%s LIMIT %s",
                (_time(later_than), limit + 1),
            )
        ids = sorted(row.id for row in found)[:limit]
        if ids:
            sql = f"UPDATE trans_global SET next_cron_time=%s WHERE id IN ({_marks(ids)}) AND status IN {_UNFINISHED}"
            await self._writes.add([_Statement(sql, (_time_down(now), *ids))])
        return len(ids), len(found) > limit

    async def list_transactions(self, position: str, limit: int, wanted: Filter) -> tuple[Sequence[Transaction], str]:
        conditions: list[tuple[str, Any]] = [
            ("id<%s", int(position) if position else None),
            ("status=%s", wanted.status or None),
            ("trans_type=%s", wanted.trans_type or None),
            ("create_time>=%s", wanted.created_from and _time_down(wanted.created_from)),
            ("create_time<=%s", wanted.created_to and _time(wanted.created_to)),
        ]
        used = [(sql, value) for sql, value in conditions if value is not None]
        where = " AND ".join(sql for sql, _ in used) or "TRUE"
        async with self._database.read() as connection:
            rows = await _select(
                connection,
                f"SELECT {_STORED_GLOBAL} FROM trans_global WHERE {where} ORDER BY id DESC LIMIT %s",
                (*(value for _, value in used), limit),
            )
        return [_transaction(row) for row in rows], str(rows[-1].id) if len(rows) == limit else ""

    async def get_value(self, category: str, key: str) -> KeyValue | None:
        async with self._database.read() as connection:
            rows = await _select(connection, "SELECT * FROM kv WHERE cat=%s AND k=%s", (category, key))
        return _key_value(rows[0]) if rows else None

    async def put_value(self, value: KeyValue, expected_version: int) -> bool:
        written: tuple[Any, ...]
        if expected_version:
            sql = "UPDATE kv SET v=%s, version=%s, update_time=%s WHERE cat=%s AND k=%s AND version=%s"
            written = (value.v, value.version, _time(value.update_time), value.cat, value.k, expected_version)
        else:
            sql = "INSERT INTO kv (v, version, update_time, create_time, cat, k) VALUES (%s,%s,%s,%s,%s,%s)"
            written = (value.v, value.version, _time(value.update_time), _time(value.create_time), value.cat, value.k)
        return await self._writes.add([_Statement(sql, written)])

    async def delete_value(self, category: str, key: str) -> bool:
        return await self._writes.add([_Statement("DELETE FROM kv WHERE cat=%s AND k=%s", (category, key))])

    async def list_values(self, category: str, position: str, limit: int) -> tuple[Sequence[KeyValue], str]:
        async with self._database.read() as connection:
            rows = await _select(
                connection,
                "SELECT * FROM kv WHERE cat=%s AND id<%s ORDER BY id DESC LIMIT %s",
                (category, int(position) if position else 2**62, limit),
            )
        return [_key_value(row) for row in rows], str(rows[-1].id) if len(rows) == limit else ""

    async def _write_all(self, writes: list[_Write]) -> Sequence[bool | ShopError]:
        """All writes in one transaction; when one of them cannot be done, each in its own."""
        if len(writes) > 1:
            try:
                return await self._database.run(lambda connection: _apply_all(connection, writes))
            except DBAPIError:  # a duplicate gid, a value too long: it must fail alone
                pass
        return [await self._write_alone(write) for write in writes]

    async def _write_alone(self, write: _Write) -> bool | ShopError:
        try:
            return (await self._database.run(lambda connection: _apply_all(connection, [write])))[0]
        except IntegrityError:
            return False
        except ShopError as error:
            return error
        except DBAPIError as error:
            return ShopError(f"the store refused: {error.orig}")


async def _apply_all(connection: AsyncConnection, writes: Sequence[_Write]) -> list[bool]:
    """Whether each write was done."""
    done = []
    for first, *others in writes:
        applied = (await connection.exec_driver_sql(*first)).rowcount > 0
        if applied:
            for statement in others:
                await connection.exec_driver_sql(*statement)
        done.append(applied)
    return done


def _insert(new: Stored) -> _Write:
    trans, branches = new
    created = _time(trans.create_time)
    row = (
        trans.gid, trans.trans_type, trans.status, trans.query_prepared, trans.protocol, created, created,
        trans.options, trans.custom_data, trans.next_cron_interval, _time(trans.next_cron_time),
    )  # fmt: skip
    statements = [_Statement(f"{_INSERT_GLOBALS}({_marks(row)})", row)]
    if branches:
        rows = [
            (
                branch.gid,
                branch.url,
                branch.bin_data.hex(),
                branch.branch_id,
                branch.op,
                branch.status,
                created,
                created,
            )
            for branch in branches
        ]
        # Hexadecimal: the driver takes 30 times longer to escape bytes.
        marks = ",".join(["(%s,%s,UNHEX(%s),%s,%s,%s,%s,%s)"] * len(rows))
        statements.append(_Statement(_INSERT_BRANCHES + marks, tuple(value for row in rows for value in row)))
    return statements


def _update(trans: Transaction, expected: str, changed: Sequence[Branch]) -> _Write:
    """One statement: the branches change only where the transaction's status is the expected one."""
    values = (
        trans.status, _time(trans.update_time), _time(trans.finish_time), _time(trans.rollback_time),
        trans.rollback_reason, trans.next_cron_interval, _time(trans.next_cron_time),
    )  # fmt: skip
    if not changed:
        return [_Statement(_SAVE_GLOBAL, (*values, trans.gid, expected))]
    succeeded = [branch for branch in changed if branch.status == SUCCEED]
    moment = _time(trans.update_time)
    keys = tuple(value for branch in changed for value in (branch.branch_id, branch.op))
    sql = (
        f"UPDATE trans_global g JOIN trans_branch_op b ON b.gid=g.gid SET {_SET_GLOBAL}, "
        f"b.status=IF(CONCAT(b.branch_id,'/',b.op) IN ({_marks(succeeded) or 'NULL'}),'succeed','failed'), "
        "b.finish_time=%s, b.update_time=%s "
        f"WHERE g.gid=%s AND g.status=%s AND (b.branch_id,b.op) IN ({','.join(['(%s,%s)'] * len(changed))})"
    )
    names = tuple(f"{branch.branch_id}/{branch.op}" for branch in succeeded)
    return [_Statement(sql, (*values, *names, moment, moment, trans.gid, expected, *keys))]


async def _select(connection: AsyncConnection, sql: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
    return (await connection.exec_driver_sql(sql, parameters)).all()


async def _with_branches(connection: AsyncConnection, rows: Sequence[Any]) -> list[Stored]:
    found = {row.gid: Stored(_transaction(row), []) for row in rows}
    if found:
        sql = f"SELECT {_STORED_BRANCH} FROM trans_branch_op WHERE gid IN ({_marks(found)}) ORDER BY id"
        for row in await _select(connection, sql, tuple(found)):
            found[row.gid].branches.append(_branch(row))
    return list(found.values())


def _transaction(row: Any) -> Transaction:
    values = _with_zone(row._mapping)
    values["next_cron_interval"] = values["next_cron_interval"] or 0
    trans = Transaction(**values)
    trans.concurrent = bool(trans.read_options().concurrent)
    return trans


def _branch(row: Any) -> Branch:
    return Branch(**_with_zone(row._mapping))


def _key_value(row: Any) -> KeyValue:
    return KeyValue(**_with_zone(row._mapping))


def _with_zone(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def _marks(values: Sequence[Any] | Mapping[Any, Any]) -> str:
    return ",".join(["%s"] * len(values))


def _time(moment: datetime | None) -> str | None:
    return _text(seconds_up(moment)) if moment else None


def _time_down(moment: datetime) -> str:
    return _text(int(moment.timestamp()))


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
