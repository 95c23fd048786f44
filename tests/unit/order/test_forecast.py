"""Forecast: what stock and coupons say about orders; silent where they do not answer."""

from __future__ import annotations

import grpc
import pytest

from services.common.errors import CouponNotUsable, StockInsufficient
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.order.forecast import Forecast
from tests.unit.order.world import new_order


class Stub:
    """Both services: `left` units by product, coupons by id; None does not answer."""

    def __init__(self, left=None, coupons=None):
        self.left, self.coupons = left, coupons
        self.asked = []

    async def Look(self, request, timeout):
        self.asked.append(request)
        found = self.coupons if isinstance(request, coupon_pb2.LookRequest) else self.left
        if found is None:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="away"
            )
        if isinstance(request, coupon_pb2.LookRequest):
            return coupon_pb2.LookResponse(coupons=[coupon for coupon in found if coupon.id in request.ids])
        return stock_pb2.LookResponse(left={product: found.get(product, 0) for product in request.product_ids})


def coupon(**fields):
    return coupon_pb2.Coupon(**{"id": 5, "user_id": 7, "amount": 10, "status": 1, **fields})


async def hopeless(orders, left=None, coupons=None):
    stub = Stub(left, coupons)
    return (await Forecast(stub, stub).look(orders)).hopeless


async def test_enough_stock_is_not_hopeless():
    assert await hopeless([new_order(product_count=3)], left={1: 3}) == {}


async def test_too_little_stock():
    order = new_order(product_count=3)
    found = await hopeless([order], left={1: 2})
    assert isinstance(found[order.order_id], StockInsufficient)
    assert found[order.order_id].message == "product 1 has 2 units left"


async def test_each_order_is_looked_at_alone():
    """Which of them the stock is for is not the forecast's to say."""
    assert await hopeless([new_order(), new_order()], left={1: 1}) == {}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (coupon(id=6), "does not exist"),
        (coupon(user_id=8), "is another user's"),
        (coupon(status=2, order_id="another"), "is used"),
        (coupon(status=3), "is expired"),
        (coupon(expires_at="2020-01-01T00:00:00.000Z"), "is expired"),
        (coupon(amount=101), "is worth more than the order"),
    ],
)
async def test_coupons(found, problem):
    order = new_order(coupon_id=5)
    errors = await hopeless([order], left={1: 9}, coupons=[found])
    assert isinstance(errors[order.order_id], CouponNotUsable)
    assert errors[order.order_id].message == f"coupon 5 {problem}"


@pytest.mark.parametrize("found", [coupon(), coupon(amount=100), coupon(expires_at="2999-01-01T00:00:00.000Z")])
async def test_coupons_that_fit(found):
    assert await hopeless([new_order(coupon_id=5)], left={1: 9}, coupons=[found]) == {}


async def test_silence_means_nothing():
    assert await hopeless([new_order(coupon_id=5)]) == {}


async def test_orders_of_a_sale_have_stock_of_their_own():
    assert await hopeless([new_order(sale_id=3)], left={1: 0}) == {}


@pytest.mark.parametrize("fields", [{"repeated_call": True}, {"order_id": "an-order-of-somebody"}])
async def test_what_may_have_been_tried_is_never_hopeless(fields):
    """The missing unit may be the one that its own saga holds."""
    assert await hopeless([new_order(**fields)], left={1: 0}) == {}


async def test_ample_stock_is_remembered_for_a_moment():
    stub = Stub({1: 10_000_000, 2: 5})
    forecast = Forecast(stub, stub)
    for _ in range(3):
        await forecast.look([new_order()])
    assert len(stub.asked) == 1
    outlook = await forecast.look([new_order(), new_order(product_id=2, product_count=6)])
    assert len(stub.asked) == 2
    assert len(outlook.hopeless) == 1


async def test_what_fits_together():
    stub = Stub({1: 3, 2: 1})
    orders = [new_order(product_count=2), new_order(product_count=2), new_order(), new_order(product_id=2)]
    outlook = await Forecast(stub, stub).look(orders)
    assert outlook.fitting(orders) == [orders[0], orders[2], orders[3]]
    assert outlook.fitting([orders[1]]) == [orders[1]]


async def test_something_always_fits():
    """Otherwise an order that only seems hopeless would wait for ever."""
    stub = Stub({1: 0})
    order = new_order(repeated_call=True)
    assert (await Forecast(stub, stub).look([order])).fitting([order]) == [order]
