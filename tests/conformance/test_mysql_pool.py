"""MysqlPool on a real MySQL: all or nothing, deadlocks, lost connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing

import pytest

from services.common.errors import ShopError, Unavailable, UnknownOutcome
from services.common.settings import MysqlSettings
from services.coordinator import mysql_pool
from services.coordinator.mysql_pool import MysqlPool, Refused
from services.coordinator.mysql_rows import Statement

from .coordinators import admin_connection, create_mysql_space, drop_mysql_space
from .proxy import StoreProxy

INSERT = "INSERT INTO kv (cat, k, v) VALUES ('c', %s, %s)"
UPDATE = "UPDATE kv SET v=%s WHERE k=%s"


@pytest.fixture
def space(stack):
    space = create_mysql_space(stack)
    yield space
    drop_mysql_space(stack, space)


@asynccontextmanager
async def opened(space):
    environment = space.environment
    settings = MysqlSettings(
        mysql_host=environment["STORE_HOST"],
        mysql_port=int(environment["STORE_PORT"]),
        mysql_user=environment["STORE_USER"],
        mysql_password=environment["STORE_PASSWORD"],
        mysql_database=environment["STORE_DB"],
        mysql_pool=4,
    )
    pool = MysqlPool(settings)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
async def pool(space):
    async with opened(space) as pool:
        yield pool


async def values(pool):
    return {row["k"]: row["v"] for row in await pool.select(Statement("SELECT k, v FROM kv ORDER BY k", ()))}


async def test_values_are_bound_and_counted(pool):
    nasty = "'; DROP TABLE kv; -- \\ % %s \x00 ü"
    assert await pool.write([Statement(INSERT, ("a", nasty)), Statement(INSERT, ("b", "1"))]) == [1, 1]
    assert await values(pool) == {"a": nasty, "b": "1"}
    # Matched counts, whether or not the value is new.
    assert await pool.write([Statement(UPDATE, ("1", "b")), Statement(UPDATE, ("1", "none"))]) == [1, 0]
    assert await pool.write([Statement(UPDATE, ("1", "b"))]) == [1]


async def test_all_or_nothing(pool):
    await pool.write([Statement(INSERT, ("a", "1"))])
    with pytest.raises(Refused) as refused:
        await pool.write([Statement(UPDATE, ("2", "a")), Statement(INSERT, ("b", "1")), Statement(INSERT, ("a", "1"))])
    assert refused.value.number == 1062
    assert await values(pool) == {"a": "1"}
    with pytest.raises(Refused):
        await pool.write([Statement("UPDATE nowhere SET v=1", ())])
    assert await pool.write([Statement(UPDATE, ("3", "a"))]) == [1]


async def test_deadlocks_are_tried_again(pool):
    await pool.write([Statement(INSERT, (key, "0")) for key in "ab"])

    def both(value, first, second):
        wait = Statement("DO SLEEP(0.3)", ())
        return pool.write([Statement(UPDATE, (value, first)), wait, Statement(UPDATE, (value, second))])

    await asyncio.gather(both("1", "a", "b"), both("2", "b", "a"))
    assert len(set((await values(pool)).values())) == 1


async def test_a_killed_connection_is_replaced(pool, stack):
    await pool.write([Statement(INSERT, ("a", "0"))])
    (row,) = await pool.select(Statement("SELECT CONNECTION_ID() AS id", ()))
    slow = asyncio.create_task(pool.write([Statement("DO SLEEP(5)", ()), Statement(UPDATE, ("1", "a"))]))
    await asyncio.sleep(0.3)
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        cursor.execute("KILL %s", (row["id"],))
    with pytest.raises(ShopError):
        await slow
    assert await values(pool) == {"a": "0"}
    assert await pool.write([Statement(UPDATE, ("2", "a"))]) == [1]


async def test_a_database_that_falls_silent_is_given_up(space, monkeypatch):
    """A machine that is gone sends no farewell: without an end to the wait the writers would hang for ever."""
    monkeypatch.setattr(mysql_pool, "_ANSWER_SECONDS", 0.5, raising=False)
    proxy = StoreProxy(space)
    await proxy.open()
    async with opened(proxy.space) as pool:
        await pool.write([Statement(INSERT, ("a", "0"))])
        proxy.freeze()
        two = [Statement(UPDATE, ("1", "a")), Statement(UPDATE, ("2", "a"))]
        with pytest.raises(UnknownOutcome):
            await asyncio.wait_for(pool.write(two), 5)
        proxy.thaw()
        async with asyncio.timeout(10):
            assert await pool.write([Statement(UPDATE, ("3", "a"))]) == [1]
            proxy.freeze()
            with pytest.raises(UnknownOutcome):
                await pool.select(Statement("SELECT v FROM kv", ()))
        proxy.thaw()
        assert await values(pool) == {"a": "3"}
    await proxy.cut()


async def test_nobody_at_the_port():
    pool = MysqlPool(MysqlSettings(mysql_host="127.0.0.1", mysql_port=1, mysql_user="x"))
    await pool.open()
    with pytest.raises(Unavailable):
        await pool.write([Statement("DO 1", ())])
    with pytest.raises(Unavailable):
        await pool.check()
    await pool.close()
