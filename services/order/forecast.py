"""Forecast: a look at stock and coupons before a saga. It saves work; the branches decide.

It refuses no order that may have been tried before: what seems to be missing may be held by the order's own saga.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from services.common.errors import CouponNotUsable, ShopError, StockInsufficient
from services.common.grpc_channel import answer
from services.common.ids import may_be_repeated
from services.common.pb.eshop.coupon.v1 import coupon_pb2, coupon_pb2_grpc
from services.common.pb.eshop.order.v1.branches_pb2 import NewOrder
from services.common.pb.eshop.stock.v1 import stock_pb2, stock_pb2_grpc

log = structlog.get_logger()

_SECONDS = 1.0
_UNUSED = 1
# With so many units left a product need not be looked at again for a moment.
_AMPLE, _AMPLE_SECONDS = 10_000, 0.5
_REMEMBERED = 10_000


class Forecast:
    """Asks the stock and the coupon service."""

    def __init__(
        self, stock: stock_pb2_grpc.StockServiceAsyncStub, coupon: coupon_pb2_grpc.CouponServiceAsyncStub
    ) -> None:
        self._stock = stock
        self._coupon = coupon
        self._ample_until: dict[int, float] = {}

    async def look(self, orders: Sequence[NewOrder]) -> Outlook:
        """What stock and coupons say about these orders; nothing where they do not answer."""
        products = {order.product_id for order in orders if not order.sale_id}
        coupons = {order.coupon_id for order in orders if order.coupon_id}
        left, found = await asyncio.gather(self._left(products), self._coupons(coupons))
        return Outlook(orders, left, found)

    async def _left(self, products: set[int]) -> Mapping[int, int] | None:
        now = time.monotonic()
        if all(self._ample_until.get(product, 0) > now for product in products):
            return None
        try:
            request = stock_pb2.LookRequest(product_ids=products)
            left = (await answer(self._stock.Look(request, timeout=_SECONDS))).left
            self._remember({product for product, units in left.items() if units >= _AMPLE}, now)
            return left
        except ShopError as error:
            log.warning("no look at the stock", error=error.message)
            return None

    def _remember(self, ample: set[int], now: float) -> None:
        if len(self._ample_until) > _REMEMBERED:
            self._ample_until.clear()
        self._ample_until |= dict.fromkeys(ample, now + _AMPLE_SECONDS)

    async def _coupons(self, ids: set[int]) -> Mapping[int, coupon_pb2.Coupon] | None:
        if not ids:
            return None
        try:
            response = await answer(self._coupon.Look(coupon_pb2.LookRequest(ids=ids), timeout=_SECONDS))
            return {coupon.id: coupon for coupon in response.coupons}
        except ShopError as error:
            log.warning("no look at the coupons", error=error.message)
            return None


class Outlook:
    """`hopeless` are errors by id of the new orders that no branch would accept now."""

    def __init__(
        self,
        orders: Iterable[NewOrder],
        left: Mapping[int, int] | None,
        coupons: Mapping[int, coupon_pb2.Coupon] | None,
    ) -> None:
        self._left = left
        self.hopeless: dict[str, ShopError | None] = {}
        for order in orders:
            error = _stock_error(order, left) or _coupon_error(order, coupons)
            if error and not may_have_been_tried(order):
                self.hopeless[order.order_id] = error

    def fitting(self, orders: Sequence[NewOrder]) -> list[NewOrder]:
        """The orders, in their order, that the stock has room for together and whose coupons differ.

        At least one; the others are for the next round, when it is known what became of these.
        """
        units: Counter[int] = Counter()
        coupons: set[int] = set()
        found = []
        for order in orders:
            if not order.sale_id and self._left is not None:
                if units[order.product_id] + order.product_count > self._left.get(order.product_id, 0):
                    continue
                units[order.product_id] += order.product_count
            if order.coupon_id:
                if order.coupon_id in coupons:
                    continue
                coupons.add(order.coupon_id)
            found.append(order)
        return found or [orders[0]]


def may_have_been_tried(order: NewOrder) -> bool:
    """Whether an earlier saga of this order may be under way: its call, message or key may have come before."""
    return order.repeated_call or may_be_repeated(order.order_id)


def _stock_error(order: NewOrder, left: Mapping[int, int] | None) -> ShopError | None:
    if order.sale_id or left is None:
        return None
    units = left.get(order.product_id, 0)
    if order.product_count <= units:
        return None
    return StockInsufficient(f"product {order.product_id} has {units} units left")


def _coupon_error(order: NewOrder, coupons: Mapping[int, coupon_pb2.Coupon] | None) -> ShopError | None:
    if not order.coupon_id or coupons is None:
        return None
    coupon = coupons.get(order.coupon_id)
    problem = ""
    if coupon is None:
        problem = "does not exist"
    elif coupon.user_id != order.user_id:
        problem = "is another user's"
    elif coupon.status != _UNUSED:
        problem = "is used" if coupon.status == 2 else "is expired"
    elif coupon.expires_at and datetime.fromisoformat(coupon.expires_at) <= datetime.now(UTC):
        problem = "is expired"
    elif coupon.amount > order.amount:
        problem = "is worth more than the order"
    return CouponNotUsable(f"coupon {order.coupon_id} {problem}") if problem else None
