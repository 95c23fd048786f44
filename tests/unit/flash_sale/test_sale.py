"""Sale: prepare, take, submit or abort; whatever fails, DTM can find out what became of the units."""

from __future__ import annotations

import asyncio

import pytest

from services.common.errors import KeyReused, LimitReached, SoldOut, Unavailable, UnknownOutcome
from services.common.ids import new_id
from services.common.pb.eshop.flash_sale.v1.flash_sale_pb2 import BuyRequest, OpenRequest
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_FLASH_SALE, NewOrder
from services.flash_sale.sale import Sale
from services.flash_sale.scripts import BUY


class World:
    """DTM and Redis: notes what is asked; gives `answers`, or raises what `fails` says for a step."""

    def __init__(self, answers=(), **fails):
        self.answers = answers
        self.fails = fails
        self.steps = []

    def _step(self, name, gid=""):
        self.steps.append(name)
        self.gid = gid or self.gid
        if name in self.fails:
            raise self.fails[name]

    async def prepare(self, message):
        self._step("prepare", message.Gid)

    async def submit(self, message):
        self._step("submit", message.Gid)

    async def abort(self, message):
        self._step("abort", message.Gid)

    async def run(self, script, keys, arguments):
        self.keys, self.arguments = keys, arguments
        self._step("take" if script is BUY else "open")
        return self.answers

    gid = ""


def requests(count):
    return [BuyRequest(user_id=user, product_id=7, amount=88, order_id=new_id()) for user in range(1, count + 1)]


async def sell(world, count):
    sale = Sale(world, world, "here:1")
    buyers = requests(count)
    try:
        return sale, buyers, await sale.buy(buyers)
    finally:
        await asyncio.sleep(0)


async def test_accepted_units_are_submitted():
    world = World([5, 1, 2, 1, 2])
    _, buyers, answers = await sell(world, 3)
    assert world.steps == ["prepare", "take", "submit"]
    assert (answers[0], answers[2]) == (buyers[0].order_id, buyers[2].order_id)
    assert isinstance(answers[1], LimitReached)


async def test_a_key_that_was_used_for_another_amount():
    _, _, answers = await sell(World([5, 3, 0]), 1)
    assert isinstance(answers[0], KeyReused)


async def test_nothing_accepted_is_aborted():
    world = World([0, 0, 0, 0])
    sale, _, answers = await sell(world, 2)
    assert world.steps == ["prepare", "take", "abort"]
    assert [type(answer) for answer in answers] == [SoldOut, SoldOut]
    assert sale.sold_out(7)
    assert not sale.sold_out(8)


async def test_units_left_are_not_sold_out():
    sale, _, _ = await sell(World([1, 1, 1]), 1)
    assert not sale.sold_out(7)


async def test_sold_out_is_forgotten_when_a_sale_opens():
    world = World([0, 0, 0])
    sale, _, _ = await sell(world, 1)
    await sale.open(OpenRequest(product_id=7, sale_id=2, stock=5))
    assert not sale.sold_out(7)


async def test_without_prepare_nothing_is_taken():
    world = World(prepare=Unavailable("no DTM"))
    with pytest.raises(Unavailable):
        await sell(world, 1)
    assert world.steps == ["prepare"]


async def test_a_script_that_did_not_run_is_aborted():
    world = World(take=Unavailable("no Redis"))
    with pytest.raises(Unavailable):
        await sell(world, 1)
    assert world.steps == ["prepare", "take", "abort"]


async def test_a_script_that_may_have_run_is_left_to_query_prepared():
    world = World(take=UnknownOutcome("lost"))
    with pytest.raises(UnknownOutcome):
        await sell(world, 1)
    assert world.steps == ["prepare", "take"]


async def test_a_submit_without_confirmation_is_a_sale_all_the_same():
    """The units are taken and the message is prepared: DTM finds out by query-prepared."""
    world = World([4, 1, 1], submit=UnknownOutcome("lost"))
    _, buyers, answers = await sell(world, 1)
    assert answers == [buyers[0].order_id]


async def test_an_abort_that_fails_disturbs_no_buyer():
    _, _, answers = await sell(World([0, 0, 0], abort=UnknownOutcome("lost")), 1)
    assert isinstance(answers[0], SoldOut)


async def test_a_gid_that_query_prepared_has_spent():
    world = World(-1)
    with pytest.raises(Unavailable):
        await sell(world, 1)
    assert world.steps == ["prepare", "take", "abort"]


async def test_what_the_script_is_told():
    world = World([5, 1, 1])
    _, [buyer], _ = await sell(world, 1)
    assert world.gid.startswith("{flash:7}-")
    assert world.keys == ["{flash:7}:sale", f"{world.gid}-00-msg-01", f"{{flash:7}}:accepted:{world.gid}"]
    tag, _, _, user, amount, order_id, order = world.arguments
    assert (tag, user, amount, order_id) == ("{flash:7}", 1, 88, buyer.order_id)
    assert NewOrder.FromString(order) == NewOrder(
        order_id=buyer.order_id, user_id=1, product_id=7, product_count=1, amount=88, source=SOURCE_FLASH_SALE
    )
