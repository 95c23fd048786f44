"""Database on a real MySQL whose machine disappears: nobody waits for ever, and what comes back is used again."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.common import database
from services.common.database import Database
from services.common.errors import Unavailable, UnknownOutcome
from services.common.settings import MysqlSettings
from tests.conformance.coordinators import StoreSpace
from tests.conformance.proxy import StoreProxy


@pytest.fixture
async def line(stack):
    """A proxy in front of the stack's MySQL."""
    account = stack.mysql("product")
    proxy = StoreProxy(StoreSpace("mysql", {"STORE_HOST": account.host, "STORE_PORT": str(account.port)}))
    await proxy.open()
    yield proxy
    await proxy.cut()


@pytest.fixture
async def products(stack, line, monkeypatch):
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.5)
    there = line.space.environment
    settings = stack.mysql("product").settings() | {"mysql_port": int(there["STORE_PORT"])}
    found = Database(MysqlSettings(**settings), "eshop_product")
    yield found
    await found.close()


async def one(connection):
    return (await connection.execute(sa.text("SELECT 1 FROM product FOR UPDATE"))).rowcount


async def test_a_read_from_a_silent_database_ends(products, line):
    await products.check()
    line.freeze()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(products.check(), 5)
    line.thaw()
    await products.check()


async def test_a_transaction_on_a_silent_database_ends(products, line):
    before = await products.run(one)
    line.freeze()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(products.run(one), 10)
    line.thaw()
    assert await products.run(one) == before


async def test_a_commit_that_is_not_answered_is_an_unknown_outcome(products, line):
    async def work(connection):
        await one(connection)
        line.freeze()

    with pytest.raises(UnknownOutcome):
        await asyncio.wait_for(products.run(work), 5)
    line.thaw()
    await products.run(one)
