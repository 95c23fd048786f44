"""BatchConsumer and Redelivery: which records may have come before, and that a failed batch comes again."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from services.common import kafka
from services.common.errors import Unavailable
from services.common.kafka import BatchConsumer, Publisher, Redelivery
from services.common.settings import KafkaSettings

ONE, TWO = TopicPartition("t", 1), TopicPartition("t", 2)


async def test_the_first_records_after_an_assignment_may_come_again():
    redelivery = Redelivery(10)
    await redelivery.on_partitions_assigned([ONE, TWO])
    assert redelivery.possible({ONE: [0] * 9})
    assert redelivery.possible({ONE: [0] * 5})
    assert not redelivery.possible({ONE: [0]})
    assert redelivery.possible({ONE: [0], TWO: [0] * 10})
    assert not redelivery.possible({ONE: [0], TWO: [0]})
    await redelivery.on_partitions_assigned([TWO])
    assert redelivery.possible({TWO: [0]})


class Consumer:
    """One partition with the numbers from 0 to `end`; remembers what was committed."""

    end, committed, made = 5, 0, 0

    def __init__(self, **options):
        type(self).made += 1
        assert options["enable_auto_commit"] is False
        self._position = type(self).committed

    async def start(self):
        pass

    async def stop(self):
        pass

    async def topics(self):
        return {"t"}

    def subscribe(self, topics, listener):
        self._listener = listener

    def assignment(self):
        return ()

    async def getmany(self, timeout_ms, max_records):
        await asyncio.sleep(0)
        offsets = range(self._position, min(self.end, self._position + max_records))
        self._position = offsets.stop
        return {ONE: [SimpleNamespace(offset=offset, topic="t", headers=()) for offset in offsets]} if offsets else {}

    async def commit(self, offsets):
        type(self).committed = offsets[ONE]


@pytest.fixture
def broker(monkeypatch):
    class Fresh(Consumer):
        pass

    monkeypatch.setattr(kafka, "AIOKafkaConsumer", Fresh)
    monkeypatch.setattr(kafka, "_RETRY_SECONDS", 0)
    return Fresh


async def consume(handler, until, max_records=2, **options):
    stopping = asyncio.Event()
    consumer = BatchConsumer(
        KafkaSettings(), topics=["t"], group="g", max_records=max_records, handler=handler, **options
    )
    running = asyncio.create_task(consumer.run(stopping))
    async with asyncio.timeout(5):
        while not until():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)
    stopping.set()
    await asyncio.wait_for(running, 5)


async def test_offsets_are_committed_behind_the_handler(broker):
    seen = []

    async def handler(records, redelivered):
        assert broker.committed == len(seen)  # not before it has dealt with them
        seen.extend(record.offset for record in records)

    await consume(handler, lambda: broker.committed == 5)
    assert seen == [0, 1, 2, 3, 4]


async def test_a_failed_batch_comes_again_and_nothing_behind_it_first(broker):
    batches = []

    async def handler(records, redelivered):
        batches.append([record.offset for record in records])
        if len(batches) == 2:
            raise Unavailable("not now")

    await consume(handler, lambda: broker.committed == 5)
    assert batches == [[0, 1], [2, 3], [2, 3], [4]]
    assert broker.made == 2


async def test_records_that_trickle_in_gather_and_a_backlog_does_not_wait(broker):
    broker.end = 9
    times = []

    async def handler(records, redelivered):
        times.append(time.monotonic())
        if len(records) < 4:
            broker.end += 1

    await consume(handler, lambda: len(times) == 4, max_records=4, pace=0.3)
    assert times[2] - times[0] < 0.3  # behind full ones
    assert times[3] - times[2] >= 0.3


async def test_stopping_finishes_the_batch_in_hand(broker):
    began, go_on = asyncio.Event(), asyncio.Event()
    stopping = asyncio.Event()

    async def handler(records, redelivered):
        began.set()
        await go_on.wait()

    consumer = BatchConsumer(KafkaSettings(), topics=["t"], group="g", max_records=2, handler=handler)
    running = asyncio.create_task(consumer.run(stopping))
    await began.wait()
    stopping.set()
    go_on.set()
    await asyncio.wait_for(running, 5)
    assert broker.committed == 2


async def test_not_ready_without_a_connection():
    async def handler(records, redelivered):
        pass

    with pytest.raises(Unavailable):
        await BatchConsumer(KafkaSettings(), topics=["t"], group="g", max_records=2, handler=handler).check()
    with pytest.raises(Unavailable):
        await Publisher(KafkaSettings()).publish("t", [("key", b"value")])
