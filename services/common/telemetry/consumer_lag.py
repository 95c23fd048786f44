"""How far a consumer is behind, asked of the brokers, so that the figure is true while it is idle, busy or stuck."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.common.telemetry import metrics

log = structlog.get_logger()

_SECONDS = 5.0
# Without partitions: a consumer that fails at once, again and again, has them for a second or so each time.
_SECONDS_UNASSIGNED = 0.2


async def watch(consumer: AIOKafkaConsumer) -> None:
    """Shows the lag of the assigned partitions until cancelled; those that went elsewhere disappear."""
    shown: set[TopicPartition] = set()
    try:
        while True:
            try:
                lags = await _measure(consumer)
            except KafkaError as error:
                log.info("lag not known", error=type(error).__name__)
            else:
                _forget(shown - lags.keys())
                shown = set(lags)
                for partition, lag in lags.items():
                    metrics.KAFKA_LAG.labels(partition.topic, str(partition.partition)).set(lag)
            await asyncio.sleep(_SECONDS if consumer.assignment() else _SECONDS_UNASSIGNED)
    finally:
        _forget(shown)


async def _measure(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Messages behind the end by partition: those that are fetched but not committed count too."""
    assigned = list(consumer.assignment())
    if not assigned:
        return {}
    ends = await consumer.end_offsets(assigned)
    begins = await consumer.beginning_offsets(assigned)
    committed = {partition: await consumer.committed(partition) for partition in assigned}
    return {
        partition: max(0, ends[partition] - max(committed[partition] or 0, begins[partition])) for partition in assigned
    }


def _forget(partitions: set[TopicPartition]) -> None:
    for partition in partitions:
        metrics.KAFKA_LAG.remove(partition.topic, str(partition.partition))
