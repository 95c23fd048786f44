"""OrderService: submits, buffered submits, and the orders themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.common import flow
from services.common.batching import Batcher
from services.common.crud import Crud
from services.common.database import Database
from services.common.errors import ShopError
from services.common.kafka import Publisher
from services.common.pb.eshop.order.v1 import branches_pb2, order_pb2
from services.common.repeats import is_repeated_call
from services.order.placement import MAX_ORDERS, Placement
from services.order.records import CANCELLED, DONE
from services.order.settings import Settings
from services.order.tables import order_record


class OrderService:
    """Public; orders come to be through Placement alone."""

    def __init__(self, database: Database, placement: Placement, publisher: Publisher, settings: Settings) -> None:
        self._publisher = publisher
        self._crud: Crud[order_pb2.Order] = Crud(database, order_record, order_pb2.Order, key="order_id")

        async def place(orders: list[branches_pb2.NewOrder]) -> Sequence[str | ShopError]:
            outcomes = await placement.place(orders, settings.placement_patience)
            return [outcome or order.order_id for order, outcome in zip(orders, outcomes, strict=True)]

        self._placing: Batcher[branches_pb2.NewOrder, str] = Batcher(
            "placement", place, max_items=MAX_ORDERS, in_flight=settings.placement_in_flight
        )

    async def create(self, request: order_pb2.CreateRequest) -> order_pb2.CreateResponse:
        order = _new_order(request, branches_pb2.SOURCE_SUBMIT)
        return order_pb2.CreateResponse(order_id=await self._placing.add(order))

    async def submit(self, request: order_pb2.SubmitRequest) -> order_pb2.SubmitResponse:
        order = _new_order(request, branches_pb2.SOURCE_SUBMIT)
        return order_pb2.SubmitResponse(order_id=await self._placing.add(order))

    async def submit_many(self, request: order_pb2.SubmitManyRequest) -> order_pb2.SubmitManyResponse:
        orders = [_new_order(one, branches_pb2.SOURCE_SUBMIT) for one in request.requests]
        results = [
            order_pb2.SubmitResult(error=placed.to_proto())
            if isinstance(placed, ShopError)
            else order_pb2.SubmitResult(response=order_pb2.SubmitResponse(order_id=placed))
            for placed in await self._placing.add_many(orders)
        ]
        return order_pb2.SubmitManyResponse(results=results)

    async def send_submit_notify(
        self, request: order_pb2.SendSubmitNotifyRequest
    ) -> order_pb2.SendSubmitNotifyResponse:
        await self._publish([request])
        return order_pb2.SendSubmitNotifyResponse(order_id=request.order_id)

    async def send_submit_notify_many(
        self, request: order_pb2.SendSubmitNotifyManyRequest
    ) -> order_pb2.SendSubmitNotifyManyResponse:
        await self._publish(request.requests)
        results = [
            order_pb2.SendSubmitNotifyResult(response=order_pb2.SendSubmitNotifyResponse(order_id=one.order_id))
            for one in request.requests
        ]
        return order_pb2.SendSubmitNotifyManyResponse(results=results)

    async def _publish(self, requests: Sequence[order_pb2.SendSubmitNotifyRequest]) -> None:
        orders = [_new_order(request, branches_pb2.SOURCE_QUEUE) for request in requests]
        messages = [(order.order_id, order.SerializeToString()) for order in orders]
        await self._publisher.publish(flow.ORDER_SUBMITTED, messages)

    async def get(self, request: order_pb2.GetRequest) -> order_pb2.GetResponse:
        return order_pb2.GetResponse(order=await self._crud.get(request.order_id))

    async def update(self, request: order_pb2.UpdateRequest) -> order_pb2.UpdateResponse:
        """One step on; a repeat changes nothing, and a cancelled order stays cancelled."""
        one_step = order_record.c.status.in_((request.status - 1, request.status))
        await self._crud.update(
            request.order_id, {"status": request.status}, one_step, f"the order cannot go to status {request.status}"
        )
        return order_pb2.UpdateResponse()

    async def delete(self, request: order_pb2.DeleteRequest) -> order_pb2.DeleteResponse:
        over = order_record.c.status.in_((DONE, CANCELLED))
        await self._crud.delete(request.order_id, over, "only an order that is done or cancelled can be deleted")
        return order_pb2.DeleteResponse()

    async def list(self, request: order_pb2.ListRequest) -> order_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return order_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: order_pb2.SearchRequest) -> order_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return order_pb2.SearchResponse(list=rows, total=total)


def _new_order(request: Any, source: branches_pb2.Source.ValueType) -> branches_pb2.NewOrder:
    return branches_pb2.NewOrder(
        order_id=request.order_id,
        user_id=request.user_id,
        product_id=request.product_id,
        product_count=request.product_count,
        amount=request.amount,
        coupon_id=request.coupon_id,
        source=source,
        repeated_call=is_repeated_call(),
    )
