"""Every branch of the order saga, called as DTM calls it: repeated, compensated, out of order, refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from services.common import flow
from services.common.pb.eshop.coupon.v1.branches_pb2 import CouponUse, UseRequest
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_SUBMIT, CreateOrdersRequest, NewOrder
from services.common.pb.eshop.pay.v1.branches_pb2 import CreatePaymentsRequest, NewPayment
from services.common.pb.eshop.stock.v1.branches_pb2 import Deduction, DeductRequest
from tests.shop import new_gid, new_number


@dataclass
class Case:
    """A branch with a request of its own, and how to see whether it has taken effect."""

    branch: flow.Branch
    request: Any
    state: Callable[[], Awaitable[Any]]
    untouched: Any
    done: Any


async def deduction(shop):
    product = await shop.product(10)
    request = DeductRequest(items=[Deduction(product_id=product, count=4)])
    return Case(flow.DEDUCT_STOCK, request, lambda: shop.stock_left(product), 10, 6)


async def sale_deduction(shop):
    product = await shop.flash_sale(10)
    [sale] = await shop.rows("SELECT id FROM eshop_stock.flash_sale WHERE product_id = :product", product=product)
    request = DeductRequest(items=[Deduction(product_id=product, sale_id=sale["id"], count=4)])
    return Case(flow.DEDUCT_STOCK, request, lambda: shop.sale_left(product), 10, 6)


async def coupon_use(shop):
    user, order_id = new_number(), f"branch-{new_number()}"
    coupon = await shop.coupon(user)
    request = UseRequest(uses=[CouponUse(coupon_id=coupon, user_id=user, order_id=order_id, order_amount=100)])

    async def state():
        row = await shop.coupon_row(coupon)
        return row["status"], row["order_id"]

    return Case(flow.USE_COUPONS, request, state, (1, ""), (2, order_id))


async def payments(shop):
    ids = [f"branch-{new_number()}" for _ in range(3)]
    request = CreatePaymentsRequest(payments=[NewPayment(order_id=one, user_id=7, amount=100) for one in ids])

    async def state():
        return len(await shop.payments_of(*ids))

    return Case(flow.CREATE_PAYMENTS, request, state, 0, 3)


async def orders(shop):
    product = new_number()
    new = [
        NewOrder(
            order_id=f"branch-{new_number()}",
            user_id=7,
            product_id=product,
            product_count=1,
            amount=100,
            source=SOURCE_SUBMIT,
        )
        for _ in range(3)
    ]

    async def state():
        return len(await shop.orders_of(product))

    return Case(flow.CREATE_ORDERS, CreateOrdersRequest(orders=new), state, 0, 3)


MAKERS = [deduction, sale_deduction, coupon_use, payments, orders]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
async def case(request, shop):
    return await request.param(shop)


@pytest.fixture(autouse=True)
async def undone(shop):
    """Compensates in the end what a test has called: nobody else knows of its transactions."""
    calls = shop.branch_calls = []
    yield
    for branch, request, gid in calls:
        await shop.branch(branch, request, gid=gid, op="compensate")


async def test_every_branch_with_a_compensation_is_tried(shop):
    tried = {(await maker(shop)).branch for maker in MAKERS}
    assert tried == {branch for branch in flow.BRANCHES if branch.compensation}


async def test_an_action_runs_once(shop, case):
    gid = new_gid()
    for _ in range(3):
        await shop.branch(case.branch, case.request, gid=gid)
    assert await case.state() == case.done


async def test_repeats_at_the_same_time_run_once(shop, case):
    gid = new_gid()
    await asyncio.gather(*(shop.branch(case.branch, case.request, gid=gid) for _ in range(8)))
    assert await case.state() == case.done


async def test_a_compensation_undoes_its_action_once(shop, case):
    gid = new_gid()
    await shop.branch(case.branch, case.request, gid=gid)
    for _ in range(3):
        await shop.branch(case.branch, case.request, gid=gid, op="compensate")
    assert await case.state() == case.untouched


async def test_a_late_action_after_its_compensation_does_nothing(shop, case):
    gid = new_gid()
    for _ in range(2):
        await shop.branch(case.branch, case.request, gid=gid, op="compensate")
    assert await case.state() == case.untouched
    for _ in range(2):
        await shop.branch(case.branch, case.request, gid=gid)
    assert await case.state() == case.untouched


async def test_action_and_compensation_at_the_same_time_leave_nothing(shop, case):
    for _ in range(5):
        gid = new_gid()
        await asyncio.gather(
            shop.branch(case.branch, case.request, gid=gid),
            shop.branch(case.branch, case.request, gid=gid, op="compensate"),
        )
        assert await case.state() == case.untouched


async def test_an_action_after_another_transactions_compensation_runs(shop, case):
    await shop.branch(case.branch, case.request, gid=new_gid(), op="compensate")
    await shop.branch(case.branch, case.request, gid=new_gid())
    assert await case.state() == case.done


async def test_a_branch_without_dtms_metadata_does_nothing(shop, case):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.branch(case.branch, case.request, gid="")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError):
        await shop.branch(case.branch, case.request, gid="g" * 129)
    assert await case.state() == case.untouched


async def refusal(shop, branch, request, gid=""):
    """How a branch refuses for good: ABORTED with the code and the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.branch(branch, request, gid=gid or new_gid())
    assert caught.value.code() is grpc.StatusCode.ABORTED
    return caught.value.details()


async def test_a_refused_action_leaves_nothing_to_undo(shop):
    """One of two products has too little: neither is touched, and the compensation that follows adds nothing."""
    rich, poor = await shop.product(10), await shop.product(1)
    items = [Deduction(product_id=product, count=2) for product in sorted((rich, poor))]
    gid = new_gid()
    assert await refusal(shop, flow.DEDUCT_STOCK, DeductRequest(items=items), gid) == (
        f"[40902] product {poor} has fewer than 2 units left"
    )
    await shop.branch(flow.DEDUCT_STOCK, DeductRequest(items=items), gid=gid, op="compensate")
    assert [await shop.stock_left(product) for product in (rich, poor)] == [10, 1]


async def test_coupons_that_cannot_be_used(shop):
    user = new_number()
    good, theirs, old, large = [
        await shop.coupon(user),
        await shop.coupon(user + 1),
        await shop.coupon(user, expiresAt="2020-01-01T00:00:00Z"),
        await shop.coupon(user, amount=101),
    ]

    def use(coupon, order_id="branch-order"):
        return CouponUse(coupon_id=coupon, user_id=user, order_id=order_id, order_amount=100)

    expected = {
        2**40: "does not exist",
        theirs: "is another user's",
        old: "is expired",
        large: "is worth more than the order",
    }
    for coupon, problem in expected.items():
        reason = await refusal(shop, flow.USE_COUPONS, UseRequest(uses=[use(good), use(coupon)]))
        assert reason == f"[40903] coupon {coupon} {problem}"
    twice = await refusal(shop, flow.USE_COUPONS, UseRequest(uses=[use(good, "a"), use(good, "b")]))
    assert twice.startswith("[40903] ")
    assert (await shop.coupon_row(good))["status"] == 1
    await shop.branch(flow.USE_COUPONS, UseRequest(uses=[use(good, "a")]), gid=new_gid())
    assert await refusal(shop, flow.USE_COUPONS, UseRequest(uses=[use(good, "b")])) == f"[40903] coupon {good} is used"
    assert (await refusal(shop, flow.USE_COUPONS, UseRequest(uses=[use(good, "a")]))).startswith("[40906] ")


async def test_a_second_saga_of_an_order_is_refused_at_its_payment_and_at_its_row(shop):
    for case, code in ((await payments(shop), "[40906] "), (await orders(shop), "[40905] ")):
        await shop.branch(case.branch, case.request, gid=new_gid())
        other = new_gid()
        assert (await refusal(shop, case.branch, case.request, other)).startswith(code)
        await shop.branch(case.branch, case.request, gid=other, op="compensate")
        assert await case.state() == case.done  # a compensation undoes what its own gid did


async def test_sagas_that_lock_the_same_rows_do_not_block_each_other(shop):
    products = sorted([await shop.product(100) for _ in range(3)])
    request = DeductRequest(items=[Deduction(product_id=product, count=1) for product in products])
    await asyncio.gather(*(shop.branch(flow.DEDUCT_STOCK, request, gid=new_gid()) for _ in range(40)))
    assert [await shop.stock_left(product) for product in products] == [60, 60, 60]
