"""Starts in any order and stops under load: nobody crash-loops, nobody loses a request."""

from __future__ import annotations

import asyncio

import pytest

from dev.layout import COORDINATORS, SERVICES, STORES
from tests.e2e.buyers import BUY, SEND, SUBMIT, Buyers, during, request
from tests.promises import assert_promises
from tests.shop import PLACED, eventually, new_number, purchase

WITH_STORES = [name for name in SERVICES if name != "gateway"]


async def status(shop, name, path):
    async with shop.http.get(f"{shop.stack.url(name)}{path}") as response:
        return response.status, await response.json()


async def test_services_wait_for_what_is_missing(shop, stack):
    await asyncio.to_thread(stack.stop, "gateway", *WITH_STORES, *COORDINATORS, *STORES)
    await asyncio.to_thread(stack.start, *SERVICES)
    pids = {name: stack.processes.pid(name) for name in SERVICES}

    async def alive():
        try:
            return all([(await status(shop, name, "/healthz"))[0] == 200 for name in SERVICES])
        except OSError:
            return False

    await eventually(alive, 60)
    await asyncio.sleep(3)
    for name in WITH_STORES:
        code, body = await status(shop, name, "/readyz")
        assert (code, body["status"]) == (503, "waiting"), name
        assert any(not dependency["ready"] for dependency in body["dependencies"])
        assert not stack.ready(name)
    assert await alive()
    assert {name: stack.processes.pid(name) for name in SERVICES} == pids

    assert (await shop.submit(purchase(new_number(), new_number()))).status in (503, 504)
    assert (await shop.send(purchase(new_number(), new_number()))).status == 503
    assert (await shop.buy(new_number(), new_number())).status == 503

    await asyncio.to_thread(stack.start, *STORES)
    await asyncio.to_thread(stack.wait_ready, *STORES)
    await asyncio.to_thread(stack.start, *COORDINATORS)
    await asyncio.to_thread(stack.wait_ready)
    assert {name: stack.processes.pid(name) for name in SERVICES} == pids
    await everything_works(shop)
    await assert_promises(stack)


async def everything_works(shop):
    product, sale = await shop.product(2), await shop.flash_sale(1)
    submitted = await shop.submit(purchase(new_number(), product))
    answers = [submitted, await shop.send(purchase(new_number(), product)), await shop.buy(new_number(), sale)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    for answer in answers:
        assert (await shop.settled(answer.data["orderID"]))["status"] == PLACED


@pytest.mark.parametrize("name", ["order", "flash_sale", "stock"])
async def test_a_restart_under_load_loses_no_accepted_order(shop, stack, name):
    """SIGTERM: what is under way is finished. One process alone cannot serve meanwhile; buyers repeat until it does."""
    product, sale = await shop.product(10_000), await shop.flash_sale(10_000)
    requests = [
        one
        for _ in range(80)
        for one in (
            request(SUBMIT, purchase(new_number(), product)),
            request(SEND, purchase(new_number(), product)),
            request(BUY, {"userID": new_number(), "productID": sale, "amount": 5}),
        )
    ]
    buyers = Buyers(shop)
    await during(
        buyers.run(requests, at_once=12, pause=0.1), lambda: stack.stop(name), lambda: stack.start(name), after=0.4
    )
    await asyncio.to_thread(stack.wait_ready, name)
    assert (buyers.surprises, buyers.unknown) == ([], [])
    assert not buyers.answers.refused
    await assert_promises(stack, buyers.answers)
    log = stack.layout.log(name).read_text()
    assert '"event":"stopped"' in log.replace(" ", "")
