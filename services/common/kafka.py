"""Kafka from asyncio: a Publisher that waits for every acknowledgement, and a loop that consumes in batches.

The loop commits offsets only after its handler has dealt with the whole batch: redelivery is normal, loss is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from opentelemetry.trace import SpanKind

from services.common.errors import Unavailable, UnknownOutcome
from services.common.settings import KafkaSettings
from services.common.telemetry import consumer_lag, metrics, traces

log = structlog.get_logger()

Headers = Sequence[tuple[str, bytes]]
# Takes the records, and whether some of them may have been handled before.
Handler = Callable[[list[ConsumerRecord], bool], Awaitable[None]]

_RETRY_SECONDS = 1.0


class Publisher:
    """A resource: an idempotent producer (acks=all) that connects in the background and reconnects by itself."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.name = "kafka"
        self._brokers = settings.kafka_brokers
        self._producer: AIOKafkaProducer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._turns = itertools.count()

    async def open(self) -> None:
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._brokers,
                acks="all",
                enable_idempotence=True,
                request_timeout_ms=10_000,
                max_batch_size=262_144,
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                log.warning("kafka cannot be reached", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._producer = producer
                return

    async def close(self) -> None:
        for task in (self._starting, self._retiring):
            if task:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._producer:
            await self._producer.stop()  # sends what is still buffered

    async def check(self) -> None:
        await self._ready().client.force_metadata_update()

    async def publish(self, topic: str, messages: Sequence[tuple[str, bytes]], headers: Headers = ()) -> None:
        """Returns when Kafka has acknowledged every (key, value).

        Messages published together go to one partition, the partitions taking turns: as one record batch they cost
        Kafka a fraction of what they do scattered by key, and no consumer here needs the messages of a key in order.
        Unavailable: none was sent. UnknownOutcome: some may have been; publishing them again may double them.
        """
        producer = self._ready()
        with traces.span(f"publish {topic}", SpanKind.PRODUCER, {"messaging.batch.message_count": len(messages)}):
            headers = [*headers, *((name, value.encode()) for name, value in traces.headers().items())]
            try:
                partitions = sorted(await producer.partitions_for(topic))
                partition = partitions[next(self._turns) % len(partitions)]
                sends = [
                    await producer.send_batch(batch, topic, partition=partition)
                    for batch in _record_batches(producer, messages, headers)
                ]
                await asyncio.gather(*sends)
            except (KafkaError, OSError) as error:
                self._replace(producer)
                raise UnknownOutcome(f"Kafka did not acknowledge: {type(error).__name__}") from error
        metrics.KAFKA_PRODUCED.labels(topic).inc(len(messages))

    def _replace(self, failed: AIOKafkaProducer) -> None:
        """Goes on with a new producer. A batch that was given up leaves a gap in the sequence numbers of an idempotent
        producer, and the broker would refuse everything that it sends from then on."""
        if self._producer is failed:
            self._producer = None
            self._starting = asyncio.create_task(self._start())
            self._retiring = asyncio.create_task(_stop(failed))

    def _ready(self) -> AIOKafkaProducer:
        if not self._producer:
            raise Unavailable("Kafka cannot be reached; try again")
        return self._producer


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stops a producer that failed; what others still wait for in it gets its answer or its time-out first."""
    try:
        await producer.stop()
    except (KafkaError, OSError) as error:
        log.warning("a failed producer did not stop cleanly", error=repr(error))


def _record_batches(
    producer: AIOKafkaProducer, messages: Sequence[tuple[str, bytes]], headers: Headers
) -> Iterator[BatchBuilder]:
    """All messages, in as few record batches as hold them."""
    batch = producer.create_batch()
    for key, value in messages:
        record = {"key": key.encode(), "value": value, "timestamp": None, "headers": headers}
        if batch.append(**record) is None:  # full
            yield batch
            batch = producer.create_batch()
            batch.append(**record)
    yield batch


class BatchConsumer:
    """A resource and a loop: hands records of some topics to a handler, at most `max_records` at a time.

    After a batch that was not full the next one starts `pace` seconds later or more, so that records which trickle in
    are not handled one by one: nobody waits for them as for an answer. An error of the handler leaves the offsets where
    they are; the same records come again after a pause.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        topics: Sequence[str],
        group: str,
        max_records: int,
        handler: Handler,
        pace: float = 0,
    ) -> None:
        self.name = f"kafka group {group}"
        self._settings = settings
        self._topics = topics
        self._group = group
        self._max_records = max_records
        self._handler = handler
        self._pace = pace
        self._connected = False

    async def open(self) -> None:
        """The loop connects."""

    async def close(self) -> None:
        """The loop disconnects."""

    async def check(self) -> None:
        if not self._connected:
            raise Unavailable("no connection to Kafka yet")

    async def run(self, stopping: asyncio.Event) -> None:
        """Consumes until `stopping` is set; the batch in hand is finished and committed."""
        while not stopping.is_set():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka_brokers,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                max_poll_interval_ms=600_000,
                session_timeout_ms=10_000,
            )
            redelivery = Redelivery(self._max_records)
            lag: asyncio.Task[None] | None = None
            try:
                await consumer.start()
                await self._require_topics(consumer)
                # Only now: a subscribed consumer starts when the group has rebalanced, and that waits for members that
                # crashed. Until then the process can do everything else.
                consumer.subscribe(self._topics, listener=redelivery)
                self._connected = True
                lag = asyncio.create_task(consumer_lag.watch(consumer))
                await self._consume(consumer, redelivery, stopping)
            except Exception as error:
                log.warning("consumer starts again", group=self._group, error=repr(error))
                await _wait(stopping, _RETRY_SECONDS)
            finally:
                self._connected = False
                if lag:
                    lag.cancel()
                await consumer.stop()

    async def _require_topics(self, consumer: AIOKafkaConsumer) -> None:
        """A topic made after the subscription would be seen minutes later, with the next look at the metadata."""
        missing = set(self._topics) - await consumer.topics()
        if missing:
            raise Unavailable(f"no topic {', '.join(sorted(missing))} yet")

    async def _consume(self, consumer: AIOKafkaConsumer, redelivery: Redelivery, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            fetched: Mapping[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(
                timeout_ms=500, max_records=self._max_records
            )
            records = [record for batch in fetched.values() for record in batch]
            if not records:
                continue
            began = time.monotonic()
            senders = (traces.sender(record.headers) for record in records)
            with traces.batch(f"process {records[0].topic}", senders, SpanKind.CONSUMER):
                await self._handler(records, redelivery.possible(fetched))
                await consumer.commit({partition: batch[-1].offset + 1 for partition, batch in fetched.items()})
            for partition, batch in fetched.items():
                metrics.KAFKA_CONSUMED.labels(partition.topic).inc(len(batch))
            if len(records) < self._max_records:
                await _wait(stopping, began + self._pace - time.monotonic())


class Redelivery(ConsumerRebalanceListener):  # type: ignore[misc]
    """Whether records may have come before: of a partition just assigned, as many as a member has in hand at most."""

    def __init__(self, in_hand: int) -> None:
        self._in_hand = in_hand
        self._left: dict[TopicPartition, int] = {}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing to do: the batch in hand is finished, and whoever gets the partition next knows."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._left = dict.fromkeys(assigned, self._in_hand)

    def possible(self, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> bool:
        """Of these records; they count as handled from now on."""
        doubtful = any(self._left.get(partition, 0) > 0 for partition in fetched)
        for partition, batch in fetched.items():
            self._left[partition] = self._left.get(partition, 0) - len(batch)
        return doubtful


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
