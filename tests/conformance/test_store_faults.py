"""The embedded coordinator and a store that refuses, holds what cannot be read, or is gone for a while."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

import aiohttp
import pytest
import redis

from .coordinators import admin_connection
from .dtm import Dtm, Sender, new_gid
from .participants import OK, ONGOING, after
from .patience import slack
from .proxy import StoreProxy

DRIVERS = ("mysql", "redis")


async def test_a_store_that_refuses_is_an_error(coordinators, spaces, participants, stack):
    """Without its table the store refuses: the caller is told, and nothing is executed."""
    space = spaces("mysql")
    coordinator = coordinators(space)
    await coordinator.wait_ready()
    dtm, table = Dtm(coordinator.http, coordinator.grpc), f"{space.environment['STORE_DB']}.trans_branch_op"
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        cursor.execute(f"RENAME TABLE {table} TO {table}_gone")
        for transport in ("http", "grpc"):
            gid = new_gid()
            reply = await Sender(dtm, participants, transport).saga(gid, "1")
            assert reply.code == 500
            assert participants.names(gid) == []
        cursor.execute(f"RENAME TABLE {table}_gone TO {table}")
    assert await dtm.transaction(gid) is None
    await dtm.close()


@pytest.mark.parametrize("driver", DRIVERS)
async def test_what_cannot_be_read_holds_up_nobody(driver, coordinators, spaces, participants, stack):
    """Transactions that are due together are leased together, also the next time: a bad one must not spoil the rest."""
    space = spaces(driver)
    coordinator = coordinators(space)
    await coordinator.wait_ready()
    dtm, bad, good = Dtm(coordinator.http, coordinator.grpc), new_gid("bad"), new_gid("good")
    sender = Sender(dtm, participants, "grpc")
    participants.script(good, "a1", ONGOING, OK)
    for gid in (bad, good):
        await sender.message(gid, "1", call="prepare", asks="q", timeout_to_fail=2)
    spoil(stack, space, bad)
    await dtm.until(good, "succeed", 15)
    assert participants.names(bad) == []
    await dtm.close()


def spoil(stack, space, gid):
    """Writes what no coordinator can read over a transaction."""
    if space.driver == "redis":
        account = stack.redis()
        with redis.Redis(host=account.host, port=account.port, password=account.password) as client:
            assert client.set(f"{space.environment['STORE_REDIS_PREFIX']}_g_{gid}", "{")
        return
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        table = f"{space.environment['STORE_DB']}.trans_global"
        assert cursor.execute(f"UPDATE {table} SET options='{{' WHERE gid=%s", (gid,)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_line_to_the_store_is_cut(driver, coordinators, spaces, participants):
    """Nothing starts without a record, readiness tells, and what ran before ends when the store is back."""
    proxy = StoreProxy(spaces(driver))
    await proxy.open()
    coordinator = coordinators(proxy.space)
    await coordinator.wait_ready()
    dtm = Dtm(coordinator.http, coordinator.grpc)
    sender, gid = Sender(dtm, participants, "grpc"), new_gid()
    participants.script(gid, "a1", after(1), OK)
    waiting = asyncio.create_task(sender.saga(gid, "1", "2", wait_result=True))
    await participants.wait_calls(gid, 1, 5)

    await proxy.cut()
    for transport in ("http", "grpc"):
        lost = new_gid()
        reply = await Sender(dtm, participants, transport).saga(lost, "1")
        assert reply.code == 500
        assert participants.names(lost) == []
    assert (await waiting).code == 500
    assert (await dtm.get("ping"))[0] == 200
    await until_readiness(coordinator, 503)

    await proxy.open()
    await until_readiness(coordinator, 200)
    assert (await sender.saga(new_gid(), "1", wait_result=True)).code == 200
    await dtm.until(gid, "succeed", 25)
    assert participants.names(gid)[-1] == "a2"
    await dtm.close()
    await proxy.cut()


async def until_readiness(coordinator, status):
    deadline = time.monotonic() + 15 + slack()
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://{coordinator.http}/readyz") as response:
                if response.status == status:
                    return
            assert time.monotonic() < deadline, f"readiness is not {status}"
            await asyncio.sleep(0.2)
