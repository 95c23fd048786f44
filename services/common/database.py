"""MySQL from asyncio: SQLAlchemy Core over asyncmy, one pool for transactions and one for single reads."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from operator import itemgetter
from typing import TypeVar

import sqlalchemy as sa
import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.common.errors import Unavailable, UnknownOutcome
from services.common.settings import MysqlSettings
from services.common.telemetry import metrics, traces

log = structlog.get_logger()

Value = TypeVar("Value")

# MySQL's codes: deadlock, lock wait; and those that mean that the server is away.
_CONFLICTS = {1205, 1213}
_AWAY = {1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 2002, 2003, 2006, 2013, 2014, 2055}
_ATTEMPTS = 8
# A machine that is gone sends no farewell: without an end to the wait, a pool's connections would hang for minutes.
_ANSWER_SECONDS = 15.0


class Database:
    """A resource: the tables of one schema. Errors of the connection come out as Unavailable or UnknownOutcome."""

    def __init__(self, settings: MysqlSettings, schema: str) -> None:
        self.name = "mysql"
        url = sa.URL.create(
            "mysql+asyncmy",
            settings.mysql_user,
            settings.mysql_password.get_secret_value(),
            settings.mysql_host,
            settings.mysql_port,
            settings.mysql_database or schema,
            query={"charset": "utf8mb4"},
        )
        self._write = _engine(url, settings.mysql_pool, isolation_level="READ COMMITTED", pool_reset_on_return=None)
        self._read = _engine(url, settings.mysql_pool, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
        for name, engine in (("mysql write", self._write), ("mysql read", self._read)):
            metrics.watch_pool(name, settings.mysql_pool, engine.pool.checkedout)  # type: ignore[attr-defined]

    async def open(self) -> None:
        """Connections are made when needed."""

    async def close(self) -> None:
        await self._write.dispose()
        await self._read.dispose()

    async def check(self) -> None:
        async with self.read() as connection:
            await connection.execute(sa.select(1))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single statements that see what is committed."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._read.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout, OSError) as error:
            if _away(error):
                raise Unavailable("the database cannot be reached; try again") from error
            raise

    async def run(self, work: Callable[[AsyncConnection], Awaitable[Value]]) -> Value:
        """Runs `work` in one transaction and commits; any error rolls back.

        Deadlocks, lock waits and connections found dead before the commit are tried again, so `work` must have no
        effect outside the transaction. A connection lost or silent during the commit is an UnknownOutcome.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with traces.span("mysql transaction", SpanKind.CLIENT):
                    return await self._once(work)
            except (DBAPIError, PoolTimeout, OSError) as error:
                again = _code(error) in _CONFLICTS or (_away(error) and attempt == 1)
                if not again or attempt == _ATTEMPTS:
                    if _away(error):
                        raise Unavailable("the database cannot be reached; try again") from error
                    raise
                await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[Value]]) -> Value:
        async with AsyncExitStack() as checkout:
            async with asyncio.timeout(_ANSWER_SECONDS):
                connection = await checkout.enter_async_context(self._write.connect())
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    value = await work(connection)
            except BaseException:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.rollback()
                raise
            else:
                await self._commit(connection)
                return value

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.commit()
        except (DBAPIError, OSError) as error:
            if _away(error):
                raise UnknownOutcome("the database went away during the commit") from error
            raise


class InsertMany:
    """An INSERT of many rows, compiled once: the driver makes one statement of all of them.

    A row is a mapping from the names of `columns`. Half as dear as giving rows to SQLAlchemy, which prepares each.
    """

    def __init__(self, table: sa.Table, columns: Sequence[str], *, ignore: bool = False) -> None:
        statement = sa.insert(table).values({name: sa.bindparam(name) for name in columns})
        if ignore:
            statement = statement.prefix_with("IGNORE")
        dialect = mysql.dialect(paramstyle="format")
        self._sql = str(statement.compile(dialect=dialect))
        self._row = itemgetter(*(statement.compile(dialect=dialect).positiontup or ()))

    async def run(self, connection: AsyncConnection, rows: Sequence[Mapping[str, object]]) -> None:
        await connection.exec_driver_sql(self._sql, [self._row(row) for row in rows])


def _engine(url: sa.URL, pool_size: int, **options: object) -> AsyncEngine:
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=5, pool_recycle=1800, hide_parameters=True, **options
    )


def _code(error: BaseException) -> int:
    arguments = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def _away(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _code(error) in _AWAY
    return isinstance(error, PoolTimeout | OSError)
