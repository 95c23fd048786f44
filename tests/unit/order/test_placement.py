"""Placement: as few sagas as possible, each order its own outcome, and no refusal that an order could follow."""

from __future__ import annotations

import json

import pytest

from services.common import flow
from services.common.errors import (
    AlreadyExists,
    Conflict,
    CouponNotUsable,
    KeyReused,
    OrderInFlight,
    StockInsufficient,
    Unavailable,
    UnknownOutcome,
)
from services.common.ids import derived_id
from services.common.pb.eshop.order.v1 import branches_pb2 as order_pb2
from services.common.pb.eshop.stock.v1 import branches_pb2 as stock_pb2
from services.order import placement as module
from tests.unit.order.world import ADDRESSES, World, new_order


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Turns of the loop instead of pauses."""
    real = module.asyncio.sleep
    monkeypatch.setattr(module.asyncio, "sleep", lambda seconds: real(0))


def repeatable(**fields):
    """An order that may have been tried before: its id comes from a key."""
    return new_order(order_id=derived_id(str(fields), str(id(fields))), **fields)


async def test_a_batch_is_one_saga():
    world = World()
    orders = [new_order() for _ in range(100)]
    assert await world.placement.place(orders, 8) == [None] * 100
    assert world.sagas == [[order.order_id for order in orders]]
    assert world.stock[1, 0] == 900


async def test_the_branches_of_a_batch_run_in_parallel_and_the_orders_last():
    world = World()
    world.coupon(5)
    await world.placement.place([new_order(), new_order(coupon_id=5)], 8)
    [request] = world.requests
    steps = json.loads(request.Steps)
    actions = [step["action"].partition("/")[2] for step in steps]
    expected = [flow.CREATE_PAYMENTS, flow.DEDUCT_STOCK, flow.USE_COUPONS, flow.CREATE_ORDERS]
    assert actions == [branch.action for branch in expected]
    assert [step["action"].partition("/")[0] for step in steps] == [ADDRESSES[branch.service] for branch in expected]
    assert [step["compensate"].partition("/")[2] for step in steps] == [branch.compensation for branch in expected]
    assert json.loads(request.CustomedData) == {"concurrent": True, "orders": {"3": [0, 1, 2]}}
    assert request.TransOptions.WaitResult
    assert request.TransOptions.TimeoutToFail == 0


async def test_a_single_order_claims_its_payment_first():
    world = World()
    world.coupon(5)
    await world.placement.place([new_order(coupon_id=5)], 8)
    assert json.loads(world.requests[0].CustomedData)["orders"] == {"1": [0], "2": [0], "3": [0, 1, 2]}


async def test_without_coupons_no_coupon_branch():
    world = World()
    await world.placement.place([new_order(), new_order()], 8)
    assert flow.USE_COUPONS.action not in world.requests[0].Steps


async def test_units_are_deducted_once_for_each_product_and_sale_in_one_order():
    world = World()
    world.stock.update({(2, 0): 9, (2, 8): 9})
    orders = [new_order(product_id=2, sale_id=8), new_order(product_id=2), new_order(product_count=2), new_order()]
    assert await world.placement.place(orders, 8) == [None] * 4
    payload = world.requests[0].BinPayloads[1]
    items = [(item.product_id, item.sale_id, item.count) for item in stock_pb2.DeductRequest.FromString(payload).items]
    assert items == [(1, 0, 3), (2, 0, 1), (2, 8, 1)]


@pytest.mark.parametrize("bad", [0, 17, 49])
async def test_one_bad_order_of_fifty_fails_alone(bad):
    world = World(sees=False)
    orders = [new_order(product_id=99 if number == bad else 1) for number in range(50)]
    outcomes = await world.placement.place(orders, 8)
    assert [number for number, outcome in enumerate(outcomes) if outcome] == [bad]
    assert isinstance(outcomes[bad], StockInsufficient)
    assert world.stock[1, 0] == 1000 - 49
    assert len(world.sagas) <= 13  # a few halves, not fifty single orders


async def test_hopeless_orders_cost_no_saga():
    world = World(stock=0)
    world.coupon(5, user_id=8)
    orders = [new_order(), new_order(coupon_id=5), new_order(product_id=3)]
    outcomes = await world.placement.place(orders, 8)
    assert [type(outcome) for outcome in outcomes] == [StockInsufficient] * 3
    assert world.sagas == []


async def test_the_last_units_go_to_the_first():
    world = World(stock=3)
    outcomes = await world.placement.place([new_order() for _ in range(10)], 8)
    assert [outcome is None for outcome in outcomes] == [True] * 3 + [False] * 7
    assert len(world.sagas) == 1


async def test_a_coupon_twice_in_a_batch_pays_for_the_first():
    world = World()
    world.coupon(5)
    outcomes = await world.placement.place([new_order(coupon_id=5), new_order(coupon_id=5), new_order()], 8)
    assert [type(outcome) for outcome in outcomes] == [type(None), CouponNotUsable, type(None)]


async def test_an_order_twice_in_a_batch_is_placed_once_and_answered_twice():
    world = World()
    order = repeatable()
    assert await world.placement.place([order, new_order(), order], 8) == [None, None, None]
    assert world.stock[1, 0] == 998


async def test_an_order_twice_in_a_batch_may_have_been_tried_if_either_says_so():
    world = World(stock=0)
    order = new_order()
    again = order_pb2.NewOrder()
    again.CopyFrom(order)
    again.repeated_call = True
    outcomes = await world.placement.place([order, again], 8)
    assert [type(outcome) for outcome in outcomes] == [StockInsufficient] * 2
    assert order.order_id in world.rows


async def test_another_purchase_under_the_same_id():
    world = World()
    order = repeatable()
    other = order_pb2.NewOrder()
    other.CopyFrom(order)
    other.amount += 1
    first, second = await world.placement.place([order, other], 8)
    assert first is None
    assert isinstance(second, KeyReused)
    [later] = await world.placement.place([other], 8)
    assert isinstance(later, KeyReused)


async def test_an_order_that_has_a_row_is_answered_from_it():
    world = World()
    placed, cancelled = repeatable(amount=1), repeatable(amount=2)
    world.rows = {placed.order_id: (placed, None), cancelled.order_id: (cancelled, StockInsufficient("then"))}
    first, second = await world.placement.place([placed, cancelled], 8)
    assert first is None
    assert second.message == "then"
    assert world.sagas == []


async def test_new_orders_need_no_look_at_the_rows():
    world = World()
    await world.placement.place([new_order() for _ in range(3)], 8)
    assert world.looked_up == [[]]


async def test_a_direct_submit_that_is_refused_leaves_no_row():
    world = World(stock=0)
    order = new_order()
    [outcome] = await world.placement.place([order], 8)
    assert isinstance(outcome, StockInsufficient)
    assert world.rows == {}


@pytest.mark.parametrize(
    "order",
    [
        new_order(source=order_pb2.SOURCE_QUEUE),
        new_order(source=order_pb2.SOURCE_FLASH_SALE),
        new_order(repeated_call=True),
        repeatable(),
    ],
    ids=["queue", "flash sale", "repeated call", "key"],
)
async def test_what_may_be_looked_up_or_repeated_is_recorded_as_cancelled(order):
    world = World(stock=0)
    [outcome] = await world.placement.place([order], None)
    assert isinstance(outcome, StockInsufficient)
    assert world.rows[order.order_id][1] is outcome


async def test_an_order_that_its_own_earlier_saga_holds_is_waited_for():
    """The earlier saga has the last unit and the payment; its row comes a few rounds later."""
    world = World(stock=0)
    order = repeatable()
    world.payments.add(order.order_id)

    def earlier_saga_ends(_):
        if len(world.sagas) == 3:
            world.rows[order.order_id] = order, None

    world.before_saga = earlier_saga_ends
    assert await world.placement.place([order], None) == [None]
    assert world.stock[1, 0] == 0


async def test_an_order_whose_earlier_saga_is_rolled_back_is_placed_anew():
    world = World(stock=0)
    order = repeatable()
    world.payments.add(order.order_id)

    def earlier_saga_ends(_):
        if len(world.sagas) == 3:
            world.payments.remove(order.order_id)
            world.stock[1, 0] = 1

    world.before_saga = earlier_saga_ends
    assert await world.placement.place([order], None) == [None]
    assert world.stock[1, 0] == 0


async def test_patience_ends():
    world = World()
    order = repeatable()
    world.payments.add(order.order_id)
    [outcome] = await world.placement.place([order], 0.0)
    assert isinstance(outcome, UnknownOutcome)
    assert world.rows == {}


@pytest.mark.parametrize("sees", [True, False], ids=["one by one", "in halves"])
@pytest.mark.parametrize(("order", "given_up"), [(repeatable, UnknownOutcome), (new_order, Unavailable)])
async def test_no_further_saga_is_begun_when_patience_has_ended(monkeypatch, order, given_up, sees):
    """Else one sold-out product would hold up everybody. What was never under way is safe to order anew."""
    world, clock = World(stock=0, sees=sees), [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def a_second_passes(_):
        clock[0] += 1

    world.before_saga = a_second_passes
    orders = [order(user_id=number + 1) for number in range(40)]
    outcomes = await world.placement.place(orders, 8)
    assert len(world.sagas) <= 9
    late = [one.order_id for one, outcome in zip(orders, outcomes, strict=True) if isinstance(outcome, given_up)]
    assert bool(late) == bool(world.sagas)
    assert world.rows.keys().isdisjoint(late)
    assert len(late) + sum(isinstance(outcome, StockInsufficient) for outcome in outcomes) == 40


async def test_a_row_that_appears_meanwhile_is_the_answer():
    """Another saga of the order was faster: the refusal gives way to its row."""
    world = World(stock=0)
    order = repeatable()
    real = world.cancel

    async def cancel(refused):
        world.rows[order.order_id] = order, None
        await real(refused)

    world.cancel = cancel
    assert await world.placement.place([order], 8) == [None]


async def test_a_refusal_that_cannot_be_recorded_is_unknown():
    world = World(stock=0)

    async def cancel(refused):
        raise Unavailable("no database")

    world.cancel = cancel
    direct, keyed = await world.placement.place([new_order(), repeatable()], 8)
    assert isinstance(direct, StockInsufficient)
    assert isinstance(keyed, UnknownOutcome)


async def test_an_unclear_saga_is_an_unknown_outcome():
    world = World()
    world.undecided = 1
    outcomes = await world.placement.place([new_order(), new_order()], 8)
    assert [type(outcome) for outcome in outcomes] == [UnknownOutcome, UnknownOutcome]
    assert world.rows == {}


async def test_rows_that_cannot_be_read_fail_the_orders_and_start_nothing():
    world = World()

    async def outcomes(orders):
        raise Unavailable("no database")

    world.outcomes = outcomes
    [outcome] = await world.placement.place([new_order()], 8)
    assert isinstance(outcome, Unavailable)
    assert world.sagas == []


@pytest.mark.parametrize("order", [new_order(repeated_call=True), repeatable()], ids=["repeated call", "key"])
async def test_rows_that_cannot_be_read_leave_open_what_became_of_an_earlier_attempt(order):
    """Unavailable would say that nothing was changed, while the earlier saga may still place the order."""
    world = World()

    async def outcomes(orders):
        raise Unavailable("no database")

    world.outcomes = outcomes
    [outcome] = await world.placement.place([order], 8)
    assert isinstance(outcome, UnknownOutcome)
    assert world.sagas == []


async def test_large_batches_are_cut_to_fit_dtms_store():
    world = World(stock=10_000)
    orders = [new_order(user_id=2**63, product_count=3) for _ in range(1300)]
    assert await world.placement.place(orders, 8) == [None] * 1300
    assert max(len(saga) for saga in world.sagas) <= module.MAX_ORDERS
    for request in world.requests:
        assert max(len(payload) for payload in request.BinPayloads) <= 48 * 1024
    assert len(world.sagas) == 3


async def test_long_ids_make_smaller_batches():
    world = World(stock=10_000)
    orders = [
        new_order(order_id=f"{number:045}", user_id=2**63, coupon_id=0, amount=2**32 - 1, sale_id=2**63)
        for number in range(600)
    ]
    world.stock[1, 2**63] = 600
    assert await world.placement.place(orders, 8) == [None] * 600
    for request in world.requests:
        assert max(len(payload) for payload in request.BinPayloads) <= 48 * 1024


async def test_a_saga_stopped_without_a_reason_decides_nothing():
    """Then the next round looks, and finds out."""
    world = World()
    real, calls = world.run_saga, []

    async def run_saga(request, patience):
        calls.append(request)
        if len(calls) == 1:
            raise module.SagaFailed(None)
        await real(request, patience)

    world.run_saga = run_saga
    assert await world.placement.place([new_order()], 8) == [None]
    assert len({request.Gid for request in calls}) == 2


def test_undecided_refusals_are_conflicts_too():
    """Otherwise DTM would retry them for ever."""
    assert all(issubclass(error, Conflict) for error in (AlreadyExists, OrderInFlight))
