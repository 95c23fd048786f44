"""FlashSaleBranches: what DTM calls in a flash sale's two-phase message."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from services.common import flow
from services.common.dtm.barrier import BranchCall
from services.common.errors import Conflict
from services.common.kafka import Publisher
from services.common.pb.eshop.flash_sale.v1.branches_pb2 import PublishAcceptedRequest
from services.common.pb.eshop.order.v1.branches_pb2 import NewOrder
from services.common.redis import Redis
from services.flash_sale.sale import KEEP_SECONDS, barrier_key
from services.flash_sale.scripts import QUERY_PREPARED

# Kafka has the orders; the list is kept a while for those who want to look.
_PUBLISHED_SECONDS = 3600


class FlashSaleBranches:
    """Called by DTM."""

    def __init__(self, redis: Redis, publisher: Publisher) -> None:
        self._redis = redis
        self._publisher = publisher

    async def publish_accepted(self, request: PublishAcceptedRequest, call: BranchCall) -> Empty:
        """Publishes the gid's orders. A repeat may publish them again: placement places an order id once."""
        key = flow.flash_accepted(request.product_id, call.gid)
        sale_id, *values = await self._redis.client.lrange(key, 0, -1) or [b"0"]
        messages = []
        for value in values:
            order = NewOrder.FromString(value)  # type: ignore[arg-type]
            order.sale_id = int(sale_id)
            messages.append((order.order_id, order.SerializeToString()))
        if messages:
            await self._publisher.publish(flow.FLASH_SALE_ACCEPTED, messages)
            await self._redis.client.expire(key, _PUBLISHED_SECONDS)
        return Empty()

    async def query_prepared(self, _: Empty, call: BranchCall) -> Empty:
        """Success when the gid took its units; a refusal when it did not, and then it never will."""
        if not await self._redis.run(QUERY_PREPARED, [barrier_key(call.gid)], [KEEP_SECONDS]):
            raise Conflict("nothing was taken")
        return Empty()
