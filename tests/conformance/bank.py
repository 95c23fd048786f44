"""Bank: a participant with a MySQL of its own, whose accounts are kept by barriers: ours, and that of DTM's client."""

from __future__ import annotations

from contextlib import closing

import pymysql
import sqlalchemy as sa
from dtmcli.barrier import BranchBarrier
from dtmcli.utils import DTMFailureError

from services.common.database import Database
from services.common.dtm.barrier import BranchCall, mysql_barrier
from services.common.errors import Conflict
from services.common.settings import MysqlSettings

from .coordinators import admin_connection
from .participants import FAILURE, OK

START = 100
# DTM's client knows its barrier under this name only.
DTMCLI_SCHEMA = "dtm_barrier"
_WITHDRAW = "UPDATE account SET amount = amount - 30"
_DEPOSIT = "UPDATE account SET amount = amount + 30"


class Bank:
    """One account, from which actions take 30 and to which compensations give 30."""

    def __init__(self, stack, space) -> None:
        self._stack = stack
        self._schema = space.environment["STORE_DB"]
        self.execute(f"CREATE TABLE {self._schema}.barrier LIKE eshop_stock.barrier")
        self.execute(f"CREATE TABLE {self._schema}.account (amount INT)")
        self.execute(f"INSERT INTO {self._schema}.account VALUES ({START})")
        self.execute(f"CREATE DATABASE IF NOT EXISTS {DTMCLI_SCHEMA}")
        self.execute(f"CREATE TABLE IF NOT EXISTS {DTMCLI_SCHEMA}.barrier LIKE eshop_stock.barrier")
        self._database = Database(MysqlSettings(**stack.mysql("admin").settings()), self._schema)

    async def close(self) -> None:
        await self._database.close()
        self.execute(f"DROP DATABASE {DTMCLI_SCHEMA}")

    def execute(self, sql: str, *values: object) -> list[tuple]:
        with closing(admin_connection(self._stack)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    @property
    def amount(self) -> int:
        return self.execute(f"SELECT amount FROM {self._schema}.account")[0][0]

    def barrier(self, gid: str, schema: str = "") -> list[tuple[str, str]]:
        """Op and reason of the rows of a gid."""
        table = f"{schema or self._schema}.barrier"
        return self.execute(f"SELECT op, reason FROM {table} WHERE gid=%s ORDER BY id", gid)

    async def run(self, call: BranchCall, *, seconds: float = 0, refused: bool = False) -> None:
        """A branch behind our barrier; `refused` after its write."""

        async def work(connection) -> None:
            await connection.execute(sa.text(_DEPOSIT if call.op == "compensate" else _WITHDRAW))
            await connection.execute(sa.text(f"DO SLEEP({seconds})"))
            if refused:
                raise Conflict("no")

        await mysql_barrier(self._database, call, work)

    def participant(self, **options):
        """The same as the work of a scripted participant over gRPC."""

        async def work(call):
            try:
                await self.run(BranchCall.from_metadata(call.metadata.items()), **options)
            except Conflict:
                return FAILURE
            return OK

        return work

    def cursor(self) -> pymysql.cursors.Cursor:
        """For the barrier of DTM's client, which commits by itself."""
        account = self._stack.mysql("admin")
        return pymysql.connect(
            host=account.host, port=account.port, user=account.user, password=account.password, database=self._schema
        ).cursor()

    def query_prepared(self, gid: str) -> bool:
        """Whether the local transaction of a message was committed; if not, it never will be."""
        with closing(self.cursor()) as cursor, closing(cursor.connection):
            try:
                BranchBarrier("msg", gid, "00", "msg").query_prepared(cursor)
            except DTMFailureError:
                return False
            return True

    def withdraw(self, barrier: BranchBarrier, *, refused: bool = False) -> None:
        """The local operation of a message."""

        def work(cursor) -> None:
            cursor.execute(_WITHDRAW)
            if refused:
                raise DTMFailureError("no")

        with closing(self.cursor()) as cursor, closing(cursor.connection):
            barrier.call(cursor, work)
