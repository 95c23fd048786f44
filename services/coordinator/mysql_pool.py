"""MysqlPool: asyncmy without SQLAlchemy, because every order waits for these few statements (40 µs each, not 450)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncmy
from asyncmy.constants import CLIENT
from asyncmy.cursors import DictCursor
from asyncmy.errors import MySQLError

from services.common.errors import ShopError, Unavailable, UnknownOutcome
from services.common.settings import MysqlSettings
from services.common.telemetry import metrics
from services.coordinator.mysql_rows import Statement

_SESSION = "SET SESSION transaction_isolation = 'READ-COMMITTED', time_zone = '+00:00'"
_CONFLICTS = {1205, 1213}  # lock wait, deadlock
_FIRST_CLIENT_ERROR, _LAST_CLIENT_ERROR = 2000, 2099  # the connection's, not the server's
_AWAY = {1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161}
_ATTEMPTS = 6
_ACQUIRE_SECONDS = 5.0
# A machine that is gone sends no farewell: without an end to the wait every writer would hang for ever.
_ANSWER_SECONDS = 15.0


class Refused(ShopError):
    """The database does not take it; nothing was written. `number` is MySQL's."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"the store refused: {message}")
        self.number = number


class MysqlPool:
    """A resource: connections in autocommit mode, READ COMMITTED. Rows that an UPDATE matched count as written."""

    name = "mysql"

    def __init__(self, settings: MysqlSettings) -> None:
        self._settings = settings
        self._pool: asyncmy.Pool | None = None

    async def open(self) -> None:
        """Connections are made when needed."""
        settings = self._settings
        self._pool = pool = await asyncmy.create_pool(
            minsize=0,
            maxsize=settings.mysql_pool,
            pool_recycle=1800,
            host=settings.mysql_host,
            port=settings.mysql_port,
            user=settings.mysql_user,
            password=settings.mysql_password.get_secret_value(),
            db=settings.mysql_database,
            charset="utf8mb4",
            connect_timeout=5,
            autocommit=True,
            client_flag=CLIENT.FOUND_ROWS,
            init_command=_SESSION,
        )
        metrics.watch_pool("mysql", settings.mysql_pool, lambda: pool.size - pool.freesize)

    async def close(self) -> None:
        if self._pool:
            self._pool.close()
            await self._pool.wait_closed()

    async def check(self) -> None:
        await self.select(Statement("SELECT 1", ()))

    async def select(self, statement: Statement) -> list[dict[str, Any]]:
        connection = await self._acquire()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), connection.cursor(DictCursor) as cursor:
                await cursor.execute(*statement)
                return list(await cursor.fetchall())
        except Exception as error:
            raise _translate(error) from error
        finally:
            self._pool_or_fail().release(connection)

    async def write(self, statements: Sequence[Statement]) -> list[int]:
        """Runs the statements in one transaction and in one round trip; gives the rows of each.

        Deadlocks and lock waits are tried again. UnknownOutcome when the connection breaks or falls silent.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._write_once(statements)
            except Refused as error:
                if error.number not in _CONFLICTS or attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    async def _write_once(self, statements: Sequence[Statement]) -> list[int]:
        connection = await self._acquire()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), connection.cursor() as cursor:
                texts = [cursor.mogrify(*statement) for statement in statements]
                if len(texts) == 1:  # a transaction by itself
                    await cursor.execute(texts[0])
                    return [cursor.rowcount]
                await cursor.execute(";".join(["BEGIN", *texts, "COMMIT"]))
                counts = []
                while await cursor.nextset():
                    counts.append(cursor.rowcount)
                return counts[:-1]
        except Exception as error:
            with suppress(Exception):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.rollback()
            raise _translate(error) from error
        finally:
            self._pool_or_fail().release(connection)

    async def _acquire(self) -> Any:
        try:
            async with asyncio.timeout(_ACQUIRE_SECONDS):
                return await self._pool_or_fail().acquire()
        except (MySQLError, OSError, RuntimeError) as error:  # a TimeoutError is an OSError
            raise Unavailable("the database cannot be reached; try again") from error

    def _pool_or_fail(self) -> Any:
        if self._pool is None:
            raise Unavailable("the pool is not open")
        return self._pool


def _translate(error: Exception) -> ShopError:
    """What a failed statement means."""
    number = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    if isinstance(number, int) and number and not _FIRST_CLIENT_ERROR <= number <= _LAST_CLIENT_ERROR:
        if number in _AWAY:
            return Unavailable("the database is going away; try again")
        return Refused(number, str(error.args[-1]))
    return UnknownOutcome(f"the connection to the database was lost ({type(error).__name__})")
