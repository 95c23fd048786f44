"""Sale: purchases of one product, batch by batch, inside DTM two-phase messages (flow C).

Prepare the message; take the units in Redis, with the barrier of its gid; submit it, and DTM has the accepted orders
published. A crash after any of these lines is repaired by DTM, which asks query-prepared whether the units were taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence

import structlog

from services.common import flow
from services.common.dtm.client import Dtm
from services.common.dtm.transaction import Step, message
from services.common.errors import KeyReused, LimitReached, ShopError, SoldOut, Unavailable, UnknownOutcome
from services.common.ids import DERIVED_FIRST, new_id
from services.common.pb.dtmgimp.dtm_pb2 import DtmRequest
from services.common.pb.eshop.flash_sale.v1.branches_pb2 import PublishAcceptedRequest
from services.common.pb.eshop.flash_sale.v1.flash_sale_pb2 import BuyRequest, OpenRequest
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_FLASH_SALE, NewOrder
from services.common.redis import Redis
from services.flash_sale.scripts import BUY, OPEN

log = structlog.get_logger()

# As long as DTM may come back to a gid, and as long as a finished sale can be looked into.
KEEP_SECONDS = 7 * 24 * 3600
_SOLD_OUT_SECONDS = 0.2
_REMEMBERED = 10_000

_SOLD_OUT, _ACCEPTED, _LIMIT, _REUSED = 0, 1, 2, 3


class Sale:
    """The current flash sale of every product. `address` is where DTM finds the flash-sale branches."""

    def __init__(self, redis: Redis, dtm: Dtm, address: str) -> None:
        self._redis = redis
        self._dtm = dtm
        self._addresses = {flow.PUBLISH_ACCEPTED.service: address}
        self._sold_out: dict[int, float] = {}
        self._background: set[asyncio.Task[None]] = set()

    def sold_out(self, product_id: int) -> bool:
        """Whether there was nothing left a moment ago."""
        return self._sold_out.get(product_id, 0) > time.monotonic()

    async def open(self, request: OpenRequest) -> None:
        """Makes a recorded sale the product's current one; a repeat changes nothing."""
        keys = [flow.flash_pointer(request.product_id)]
        tag = flow.flash_tag(request.product_id)
        arguments: list[str | bytes | int] = [tag, request.sale_id, request.stock, request.limit_per_user, KEEP_SECONDS]
        await self._redis.run(OPEN, keys, arguments)
        self._sold_out.pop(request.product_id, None)

    async def buy(self, requests: Sequence[BuyRequest]) -> list[str | ShopError]:
        """The order id or the error of each request, in their order; all are for one product."""
        product_id = requests[0].product_id
        gid = f"{flow.flash_tag(product_id)}-{new_id()}"
        two_phase = self._message(gid, product_id)
        await self._dtm.prepare(two_phase)
        try:
            answers = await self._take(gid, product_id, requests)
        except UnknownOutcome:
            raise  # DTM will ask query-prepared
        except ShopError:
            self._later(self._dtm.abort(two_phase))
            raise
        left, accepted = answers[0], answers[-1]
        if accepted:
            try:
                await self._dtm.submit(two_phase)
            except UnknownOutcome as error:  # the units are taken and DTM knows the message: it will find out
                log.warning("submit not confirmed", gid=gid, error=error.message)
        else:
            self._later(self._dtm.abort(two_phase))
        if left <= 0:
            self._remember_sold_out(product_id)
        return [_answer(request, answer) for request, answer in zip(requests, answers[1:-1], strict=True)]

    async def _take(self, gid: str, product_id: int, requests: Sequence[BuyRequest]) -> list[int]:
        """Units left, an answer for each request, and how many units were taken."""
        keys = [flow.flash_pointer(product_id), barrier_key(gid), flow.flash_accepted(product_id, gid)]
        arguments: list[str | bytes | int] = [flow.flash_tag(product_id), KEEP_SECONDS, DERIVED_FIRST]
        for request in requests:
            arguments += (request.user_id, request.amount, request.order_id, _order(request).SerializeToString())
        answers = await self._redis.run(BUY, keys, arguments)
        if answers == -1:  # query-prepared came first
            raise Unavailable("the sale was too slow; try again")
        found: list[int] = answers
        return found

    def _message(self, gid: str, product_id: int) -> DtmRequest:
        step = Step(flow.PUBLISH_ACCEPTED, PublishAcceptedRequest(product_id=product_id))
        return message(gid, [step], flow.QUERY_PREPARED, self._addresses)

    def _remember_sold_out(self, product_id: int) -> None:
        if len(self._sold_out) > _REMEMBERED:
            self._sold_out.clear()
        self._sold_out[product_id] = time.monotonic() + _SOLD_OUT_SECONDS

    def _later(self, abort: Awaitable[None]) -> None:
        """Aborts without a buyer waiting for it; if it fails, DTM asks query-prepared."""

        async def run() -> None:
            try:
                await abort
            except ShopError as error:
                log.info("abort not confirmed", error=error.message)

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def barrier_key(gid: str) -> str:
    """The key of DTM's Redis barrier for the local operation of a two-phase message."""
    return f"{gid}-00-msg-01"


def _order(request: BuyRequest) -> NewOrder:
    """The order without its sale, which the script alone knows; PublishAccepted adds it."""
    return NewOrder(
        order_id=request.order_id,
        user_id=request.user_id,
        product_id=request.product_id,
        product_count=1,
        amount=request.amount,
        source=SOURCE_FLASH_SALE,
    )


def _answer(request: BuyRequest, answer: int) -> str | ShopError:
    if answer == _ACCEPTED:
        return request.order_id
    if answer == _LIMIT:
        return LimitReached(f"user {request.user_id} has bought as much as this sale allows")
    if answer == _REUSED:
        return KeyReused(f"order {request.order_id} is another purchase")
    return sold_out_error(request.product_id)


def sold_out_error(product_id: int) -> SoldOut:
    return SoldOut(f"product {product_id} is sold out")
