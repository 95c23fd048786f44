"""World: stock, coupons, payments and order rows in memory, with the parts that Placement talks to.

Its DTM runs a saga at once and wholly, in the order that the saga asks for, and rolls back what a branch refuses.
"""

from __future__ import annotations

import json
from collections import Counter

from services.common import flow
from services.common.dtm.client import SagaFailed
from services.common.errors import (
    AlreadyExists,
    CouponNotUsable,
    KeyReused,
    OrderInFlight,
    StockInsufficient,
    UnknownOutcome,
)
from services.common.ids import new_id
from services.common.pb.eshop.coupon.v1 import branches_pb2 as coupon_pb2
from services.common.pb.eshop.coupon.v1.coupon_pb2 import Coupon
from services.common.pb.eshop.order.v1 import branches_pb2 as order_pb2
from services.common.pb.eshop.pay.v1 import branches_pb2 as pay_pb2
from services.common.pb.eshop.stock.v1 import branches_pb2 as stock_pb2
from services.order.forecast import Outlook
from services.order.placement import Placement
from services.order.records import same_purchase

ADDRESSES = {name: f"{name}:8282" for name in ("order", "stock", "coupon", "pay")}


def new_order(**fields):
    """One unit of product 1, with an id that cannot have been tried before."""
    given = {
        "order_id": new_id(),
        "user_id": 7,
        "product_id": 1,
        "product_count": 1,
        "amount": 100,
        "source": order_pb2.SOURCE_SUBMIT,
    }
    return order_pb2.NewOrder(**{**given, **fields})


class World:
    def __init__(self, stock=1000, coupons=(), sees=True):
        self.stock = Counter({(1, 0): stock})
        self.coupons = {coupon.id: coupon for coupon in coupons}
        self.payments = set()
        self.rows = {}  # order id: (order, None or the reason)
        self.sagas = []  # the orders of each saga that was run
        self.requests = []
        self.looked_up = []
        self.sees = sees
        self.undecided = 0  # so many sagas end without an answer
        self.before_saga = lambda orders: None
        self.placement = Placement(self, self, self, ADDRESSES)

    def coupon(self, number, **fields):
        self.coupons[number] = Coupon(id=number, **{"user_id": 7, "amount": 10, "status": 1, **fields})

    # Records

    async def outcomes(self, orders):
        self.looked_up.append([order.order_id for order in orders])
        found = {}
        for order in orders:
            if order.order_id in self.rows:
                row, reason = self.rows[order.order_id]
                found[order.order_id] = reason if same_purchase(row, order) else KeyReused("another purchase")
        return found

    async def cancel(self, refused):
        for order, reason in refused:
            self.rows.setdefault(order.order_id, (order, reason))

    # Forecast

    async def look(self, orders):
        if not self.sees:
            return Outlook(orders, None, None)
        return Outlook(
            orders, {product: units for (product, sale), units in self.stock.items() if not sale}, self.coupons
        )

    # DTM

    async def run_saga(self, request, patience):
        steps = json.loads(request.Steps)
        payloads = {
            step["action"].partition("/")[2]: data for step, data in zip(steps, request.BinPayloads, strict=True)
        }
        create = order_pb2.CreateOrdersRequest.FromString(payloads[flow.CREATE_ORDERS.action])
        orders = list(create.orders)
        self.sagas.append([order.order_id for order in orders])
        self.requests.append(request)
        self.before_saga(orders)
        if self.undecided:
            self.undecided -= 1
            raise UnknownOutcome("no answer")
        refusals = {
            flow.CREATE_PAYMENTS.action: lambda data: self._payments(pay_pb2.CreatePaymentsRequest.FromString(data)),
            flow.DEDUCT_STOCK.action: lambda data: self._stock(stock_pb2.DeductRequest.FromString(data)),
            flow.USE_COUPONS.action: lambda data: self._coupons(coupon_pb2.UseRequest.FromString(data)),
            flow.CREATE_ORDERS.action: lambda data: self._orders(create),
        }
        for action in sorted(payloads, key=lambda action: self._turn(request, steps, action)):
            if reason := refusals[action](payloads[action]):
                raise SagaFailed(reason)
        deductions = stock_pb2.DeductRequest.FromString(payloads[flow.DEDUCT_STOCK.action])
        for item in deductions.items:
            self.stock[item.product_id, item.sale_id] -= item.count
        for order in orders:
            self.payments.add(order.order_id)
            self.rows[order.order_id] = order, None
            if order.coupon_id:
                self.coupons[order.coupon_id].status = 2
                self.coupons[order.coupon_id].order_id = order.order_id

    @staticmethod
    def _turn(request, steps, action):
        """Branches after others come later; of those in parallel, stock answers first: the worst for a repeat."""
        orders = json.loads(request.CustomedData)["orders"]
        index = [step["action"].partition("/")[2] for step in steps].index(action)
        return len(orders.get(str(index), [])), action != flow.DEDUCT_STOCK.action

    def _payments(self, request):
        if any(payment.order_id in self.payments for payment in request.payments):
            return OrderInFlight("a payment exists")
        return None

    def _stock(self, request):
        for item in request.items:
            if self.stock[item.product_id, item.sale_id] < item.count:
                return StockInsufficient(f"product {item.product_id}")
        return None

    def _coupons(self, request):
        for use in request.uses:
            coupon = self.coupons.get(use.coupon_id)
            if coupon is None or coupon.status != 1 or coupon.user_id != use.user_id:
                return CouponNotUsable(f"coupon {use.coupon_id}")
        return None

    def _orders(self, request):
        if any(order.order_id in self.rows for order in request.orders):
            return AlreadyExists("an order exists")
        return None
