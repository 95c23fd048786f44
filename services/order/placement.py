"""Placement: the only way an order comes to be, from a submit, from Kafka or from a flash sale (flows A, B and C).

A list of new orders becomes a list of outcomes through as few sagas as possible: one for the whole list, and where that
is refused, one for each half, until every order that can be placed is placed and every other has its own reason.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import structlog
from prometheus_client import Counter as Metric

from services.common import flow
from services.common.dtm.client import Dtm, SagaFailed
from services.common.dtm.transaction import Step, saga
from services.common.errors import (
    AlreadyExists,
    Conflict,
    KeyReused,
    OrderInFlight,
    ShopError,
    Unavailable,
    UnknownOutcome,
)
from services.common.ids import new_id
from services.common.pb.dtmgimp.dtm_pb2 import DtmRequest
from services.common.pb.eshop.coupon.v1 import branches_pb2 as coupon_pb2
from services.common.pb.eshop.errors.v1 import errors_pb2
from services.common.pb.eshop.order.v1 import branches_pb2 as order_pb2
from services.common.pb.eshop.pay.v1 import branches_pb2 as pay_pb2
from services.common.pb.eshop.stock.v1 import branches_pb2 as stock_pb2
from services.common.telemetry import metrics
from services.order.forecast import Forecast, may_have_been_tried
from services.order.records import Records, same_purchase

log = structlog.get_logger()

MAX_ORDERS = 512
# DTM keeps a branch's payload in 64 KiB; the rest is room for longer fields.
_MAX_BYTES = 48 * 1024

Outcome = ShopError | None

# Refusals that say nothing about the order itself: it has a row by now, or another saga of it is under way.
_UNDECIDED = (AlreadyExists, OrderInFlight)


class Placement:
    """Places orders. `addresses` are where DTM finds the services' branches."""

    def __init__(self, records: Records, forecast: Forecast, dtm: Dtm, addresses: Mapping[str, str]) -> None:
        self._records = records
        self._forecast = forecast
        self._dtm = dtm
        self._addresses = addresses

    async def place(self, orders: Sequence[order_pb2.NewOrder], patience: float | None) -> list[Outcome]:
        """The outcome of each order, in their order: None for placed, or the error that it failed with.

        What is not decided within `patience` seconds gets UnknownOutcome, or Unavailable where no saga of it can be
        under way; None waits for ever.
        """
        unique: dict[str, order_pb2.NewOrder] = {}
        for order in orders:
            first = unique.setdefault(order.order_id, order)
            first.repeated_call = first.repeated_call or order.repeated_call
        outcomes: dict[str, Outcome] = {}
        deadline = None if patience is None else time.monotonic() + patience
        for batch in _chunks(list(unique.values())):
            outcomes |= await self._settle(batch, deadline)
        outcomes |= await self._record_refusals(unique.values(), outcomes)
        for order in unique.values():
            _count(order, outcomes[order.order_id])
        return [_outcome(order, unique, outcomes) for order in orders]

    async def _settle(self, orders: list[order_pb2.NewOrder], deadline: float | None) -> dict[str, Outcome]:
        """Outcomes by order id. Each round answers what is known already and tries a saga for what looks possible."""
        outcomes: dict[str, Outcome] = {}
        pause = 0.02
        may_have_rows = [order for order in orders if _needs_row(order)]
        tried = {order.order_id for order in orders if may_have_been_tried(order)}
        while orders:
            if deadline is not None and time.monotonic() > deadline:
                return outcomes | _left_open(orders, tried, Unavailable("too busy for the order; try again"))
            try:
                placed, forecast = await asyncio.gather(
                    self._records.outcomes(may_have_rows), self._forecast.look(orders)
                )
            except ShopError as error:
                return outcomes | _left_open(orders, tried, error)
            outcomes |= forecast.hopeless | placed
            orders = [order for order in orders if order.order_id not in outcomes]
            if not orders:
                break
            found = await self._try(forecast.fitting(orders), deadline)
            outcomes |= {key: outcome for key, outcome in found.items() if not isinstance(outcome, _UNDECIDED)}
            orders = [order for order in orders if order.order_id not in outcomes]
            may_have_rows = orders
            if held := {order.order_id for order in orders} & found.keys():  # by another saga: give it time
                tried |= held
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        return outcomes

    async def _try(self, orders: list[order_pb2.NewOrder], deadline: float | None) -> dict[str, Outcome]:
        """One saga for all; when it is refused, a single order gets the reason, and more are cut in two."""
        request = self._saga(orders)
        log.debug("saga", gid=request.Gid, orders=[order.order_id for order in orders])
        try:
            await self._dtm.run_saga(request, _left(deadline))
        except SagaFailed as failed:
            log.debug("saga refused", gid=request.Gid, reason=str(failed.reason))
            if len(orders) == 1:
                return {orders[0].order_id: failed.reason or OrderInFlight("the saga was stopped without a reason")}
        except UnknownOutcome as error:
            return {order.order_id: error for order in orders}
        else:
            return {order.order_id: None for order in orders}
        middle = len(orders) // 2
        first = await self._settle(orders[:middle], deadline)
        return first | await self._settle(orders[middle:], deadline)

    async def _record_refusals(
        self, orders: Iterable[order_pb2.NewOrder], outcomes: Mapping[str, Outcome]
    ) -> dict[str, Outcome]:
        """Makes refusals final by a cancelled row, where somebody may look the order up or have placed it before.

        The row settles a race: if another saga of the order ends first, its order is the answer; if not, that saga
        finds the row and is rolled back. So no refusal is ever followed by an order.
        """
        refused = [
            (order, outcome)
            for order in orders
            if isinstance(outcome := outcomes[order.order_id], Conflict) and _needs_row(order)
        ]
        if not refused:
            return {}
        try:
            await self._records.cancel(refused)
            return await self._records.outcomes([order for order, _ in refused])
        except ShopError:
            return {order.order_id: UnknownOutcome("the refusal could not be recorded") for order, _ in refused}

    def _saga(self, orders: list[order_pb2.NewOrder]) -> DtmRequest:
        """All branches but the last run in parallel.

        A saga of one order creates the payment first: it is unique, so an earlier saga of the same order shows as
        OrderInFlight there, and never as the stock or the coupon that it holds.
        """
        payments = [
            pay_pb2.NewPayment(order_id=order.order_id, user_id=order.user_id, amount=order.amount) for order in orders
        ]
        after = [0] if len(orders) == 1 else []
        steps = [
            Step(flow.CREATE_PAYMENTS, pay_pb2.CreatePaymentsRequest(payments=payments)),
            Step(flow.DEDUCT_STOCK, _deductions(orders), after),
        ]
        if uses := _coupon_uses(orders):
            steps.append(Step(flow.USE_COUPONS, coupon_pb2.UseRequest(uses=uses), after))
        create = order_pb2.CreateOrdersRequest(orders=orders)
        steps.append(Step(flow.CREATE_ORDERS, create, after=range(len(steps))))
        return saga(f"order-{new_id()}", steps, self._addresses)


def _left_open(orders: Sequence[order_pb2.NewOrder], tried: set[str], error: ShopError) -> dict[str, Outcome]:
    """No saga of ours is under way: the error, which says that nothing was changed, unless an earlier saga may be."""
    unknown = UnknownOutcome("the order is not decided yet; ask for it later")
    return {order.order_id: unknown if order.order_id in tried else error for order in orders}


def _needs_row(order: order_pb2.NewOrder) -> bool:
    """A direct submit that cannot have been tried before gets its refusal as the answer and leaves no row."""
    return order.source != order_pb2.SOURCE_SUBMIT or may_have_been_tried(order)


def _outcome(
    order: order_pb2.NewOrder, unique: Mapping[str, order_pb2.NewOrder], outcomes: Mapping[str, Outcome]
) -> Outcome:
    if not same_purchase(order, unique[order.order_id]):
        return KeyReused(f"order {order.order_id} is another purchase")
    return outcomes[order.order_id]


def _chunks(orders: list[order_pb2.NewOrder]) -> list[list[order_pb2.NewOrder]]:
    """Lists whose branches' payloads fit into DTM's store."""
    chunks: list[list[order_pb2.NewOrder]] = []
    size = _MAX_BYTES
    for order in orders:
        weight = order.ByteSize() + 3
        if size + weight > _MAX_BYTES or len(chunks[-1]) == MAX_ORDERS:
            chunks.append([])
            size = 0
        chunks[-1].append(order)
        size += weight
    return chunks


def _deductions(orders: Sequence[order_pb2.NewOrder]) -> stock_pb2.DeductRequest:
    """Units by product and sale, in the order in which every saga locks them."""
    units = Counter[tuple[int, int]]()
    for order in orders:
        units[order.product_id, order.sale_id] += order.product_count
    items = [
        stock_pb2.Deduction(product_id=product, sale_id=sale, count=count)
        for (product, sale), count in sorted(units.items())
    ]
    return stock_pb2.DeductRequest(items=items)


def _coupon_uses(orders: Sequence[order_pb2.NewOrder]) -> list[coupon_pb2.CouponUse]:
    return [
        coupon_pb2.CouponUse(
            coupon_id=order.coupon_id, user_id=order.user_id, order_id=order.order_id, order_amount=order.amount
        )
        for order in orders
        if order.coupon_id
    ]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _count(order: order_pb2.NewOrder, outcome: Outcome) -> None:
    kind = "placed" if outcome is None else "refused" if isinstance(outcome, Conflict) else "unknown"
    _counter(order.source, kind, int(outcome.code) if outcome else 0).inc()


@cache
def _counter(source: order_pb2.Source.ValueType, kind: str, code: int) -> Metric:
    source_name = order_pb2.Source.Name(source).removeprefix("SOURCE_").lower()
    reason = errors_pb2.ErrorCode.Name(code).removeprefix("ERROR_CODE_").lower() if code else "none"  # type: ignore[arg-type]
    return metrics.ORDERS.labels(source_name, kind, reason)
