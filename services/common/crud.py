"""Create, get, update, delete and list over one table, for the public messages that mirror its rows.

Rows with `deleted_at` set do not exist for callers. Only columns that the message has are shown, sorted by or filtered
on, so a column without a field (a password) never leaves.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import AlreadyExists, Conflict, Invalid, NotFound
from services.common.json_codec import descriptor_of
from services.common.pb.eshop.query.v1 import query_pb2
from services.common.query import Condition, order_by, page_bounds, where
from services.common.tables import NOW
from services.common.timestamps import to_rfc3339
from services.common.totals import Total

MessageType = TypeVar("MessageType", bound=Message)
Value = TypeVar("Value")
Page = tuple[list[MessageType], int]

_DUPLICATE = 1062
_SORTS_KEPT = 64
# Pages that are read at a time. Sorting and counting can take long; the other connections are for the flows.
_PAGES = 2


class Crud(Generic[MessageType]):
    """The rows of `table` as messages, whose fields are all columns of it. `key` is the column that callers name."""

    def __init__(self, database: Database, table: sa.Table, message: type[MessageType], key: str = "id") -> None:
        fields = descriptor_of(message).fields
        shown = [table.c[field.name] for field in fields]
        self._database, self._table, self._message, self._key = database, table, message, key
        self._names = [field.name for field in fields]
        self._times = [column.name for column in shown if isinstance(column.type, sa.DateTime)]
        self._columns = {column.name: column for column in shown}
        self._columns |= {field.json_name: table.c[field.name] for field in fields}
        self._live = table.c.deleted_at.is_(None)
        self._this = sa.and_(table.c[key] == sa.bindparam("this"), self._live)
        self._insert = sa.insert(table)
        self._rows = sa.select(*shown).where(self._live)
        self._row = sa.select(*shown).where(self._this)
        self._count = sa.select(sa.func.count()).select_from(table).where(self._live)
        self._exists = sa.select(sa.literal(1)).where(self._this)
        self._sorted = lru_cache(_SORTS_KEPT)(self._sort)
        self._total = Total()
        self._pages = asyncio.Semaphore(_PAGES)

    async def create(self, values: Mapping[str, Any]) -> int:
        """Inserts a row and gives its id; AlreadyExists when a unique value is taken, also by a deleted row."""

        async def insert(connection: AsyncConnection) -> int:
            result = await connection.execute(self._insert, dict(values))
            return result.lastrowid

        return await self._write(insert)

    async def get(self, key: Any) -> MessageType:
        async with self._database.read() as connection:
            row = (await connection.execute(self._row, {"this": key})).first()
        if row is None:
            raise self._missing(key)
        return self.to_message(row)

    async def update(
        self, key: Any, changes: Mapping[str, Any], only_if: Condition | None = None, refusal: str = ""
    ) -> None:
        """Changes these columns; a live row that does not fulfil `only_if` is a Conflict with the text `refusal`."""
        values = {**changes, "updated_at": sa.text(NOW)} if changes else {}
        await self._change(key, values, only_if, refusal)

    async def delete(self, key: Any, only_if: Condition | None = None, refusal: str = "") -> None:
        """Hides the row; `only_if` as in update."""
        await self._change(key, {"deleted_at": sa.text(NOW)}, only_if, refusal)

    async def list(self, page: int, limit: int, sort: str) -> Page[MessageType]:
        return await self.search(page, limit, sort, [])

    async def search(self, page: int, limit: int, sort: str, columns: Sequence[query_pb2.Column]) -> Page[MessageType]:
        """The rows of one page, from 0, and the number of rows in all pages (totals.py). What cannot be asked is
        InvalidQuery."""
        limit, offset = page_bounds(page, limit)
        condition = where(columns, self._columns)
        rows, count = self._sorted(sort), self._count
        if condition is not None:
            rows, count = rows.where(condition), count.where(condition)
        async with self._pages, self._database.read() as connection:

            async def total_rows() -> int:
                return int((await connection.execute(count)).scalar_one())

            found = (await connection.execute(rows, {"rows": limit, "before": offset})).all()
            if (found and len(found) < limit) or not (found or offset):  # this page holds the last row
                total = offset + len(found)
            else:
                total = await (self._total.get(total_rows) if condition is None else total_rows())
        return [self.to_message(row) for row in found], total

    def to_message(self, row: Sequence[Any]) -> MessageType:
        """The message of a row that was selected in the order of the message's fields."""
        values = dict(zip(self._names, row, strict=True))
        for name in self._times:
            values[name] = to_rfc3339(values[name])
        return self._message(**values)

    def _sort(self, sort: str) -> sa.Select[Any]:
        rows = self._rows.order_by(*order_by(sort, self._columns))
        return rows.limit(sa.bindparam("rows", type_=sa.Integer)).offset(sa.bindparam("before", type_=sa.Integer))

    async def _change(self, key: Any, values: Mapping[str, Any], only_if: Condition | None, refusal: str) -> None:
        if not values:
            await self.get(key)
            return
        statement = sa.update(self._table).where(self._this).values(**values)
        if only_if is not None:
            statement = statement.where(only_if)

        async def change(connection: AsyncConnection) -> None:
            if (await connection.execute(statement, {"this": key})).rowcount:
                return
            if (await connection.execute(self._exists, {"this": key})).first() is None:
                raise self._missing(key)
            raise Conflict(refusal)

        await self._write(change)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[Value]]) -> Value:
        try:
            return await self._database.run(work)
        except DataError as error:  # what a service let pass although its column is smaller
            raise Invalid(f"{self._named_in(error) or 'a value'}: too long or out of range") from None
        except IntegrityError as error:
            if getattr(error.orig, "args", (0,))[0] == _DUPLICATE:
                raise AlreadyExists(f"{self._named_in(error) or 'the row'}: taken") from None
            raise

    def _named_in(self, error: DBAPIError) -> str:
        """The column that MySQL names; a unique key is named after its column."""
        found = re.search(rf"for (?:key|column) '(?:\w+\.)?(?:uq_{self._table.name}_)?(\w+)'", str(error.orig))
        name = found[1] if found else ""
        return next((spelled for spelled, column in self._columns.items() if name == column.name != spelled), name)

    def _missing(self, key: Any) -> NotFound:
        return NotFound(f"no {self._table.name} with {self._key} {key}")
