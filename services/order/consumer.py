"""Flow B and the end of flow C: orders from Kafka, placed in batches, committed when every one has a final outcome."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiokafka import ConsumerRecord
from google.protobuf.message import DecodeError

from services.common import flow
from services.common.errors import Conflict, Invalid, KeyReused, ShopError
from services.common.kafka import Publisher
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_FLASH_SALE, SOURCE_QUEUE, NewOrder
from services.common.telemetry import metrics
from services.order.placement import Placement

log = structlog.get_logger()

MAX_RECORDS = 512


class OrderConsumer:
    """Handles batches of records. An order that cannot be placed has a cancelled row with the reason."""

    def __init__(self, placement: Placement, publisher: Publisher) -> None:
        self._placement = placement
        self._publisher = publisher

    async def handle(self, records: Sequence[ConsumerRecord], redelivered: bool) -> None:
        """Returns when every record has a final outcome; raises to get all of them again."""
        orders: list[NewOrder] = []
        sources: list[ConsumerRecord] = []
        for record in records:
            try:
                orders.append(_read(record, redelivered))
                sources.append(record)
            except ShopError as error:
                await self._bury(record, error)
        outcomes = await self._placement.place(orders, patience=None)
        for record, outcome in zip(sources, outcomes, strict=True):
            if isinstance(outcome, KeyReused):
                await self._bury(record, outcome)
            elif outcome is not None and not isinstance(outcome, Conflict):
                raise outcome

    async def _bury(self, record: ConsumerRecord, error: ShopError) -> None:
        """Sends a record that can never be placed to the dead-letter topic, with the error in its headers."""
        log.error("dead letter", topic=record.topic, offset=record.offset, error=error.message)
        headers = [
            *record.headers,
            ("eshop-error", error.message.encode()),
            ("eshop-code", str(int(error.code)).encode()),
            ("eshop-source", f"{record.topic}/{record.partition}/{record.offset}".encode()),
        ]
        key = (record.key or b"").decode(errors="replace")
        await self._publisher.publish(flow.dead_letter_topic(record.topic), [(key, record.value or b"")], headers)
        metrics.KAFKA_DEAD_LETTERS.labels(record.topic).inc()


def _read(record: ConsumerRecord, redelivered: bool) -> NewOrder:
    try:
        order = NewOrder.FromString(record.value or b"")
    except DecodeError as error:
        raise Invalid("the value is no NewOrder") from error
    if not (order.order_id and order.user_id and order.product_id and order.product_count and order.amount):
        raise Invalid("the NewOrder lacks a field")
    if order.source not in (SOURCE_QUEUE, SOURCE_FLASH_SALE):
        raise Invalid("the source is neither the queue nor a flash sale")
    if len(order.order_id) > 45:
        raise Invalid("the order id is longer than 45 characters")
    order.repeated_call = order.repeated_call or redelivered
    return order
