"""The Publisher goes on after an error that leaves its idempotent producer unusable."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber

from services.common import kafka
from services.common.errors import UnknownOutcome
from services.common.settings import KafkaSettings


class FakeProducer:
    """The broker refuses everything of the first producer, as after a gap in its sequence numbers."""

    made: ClassVar[list[FakeProducer]] = []

    def __init__(self, **_):
        self.made.append(self)
        self.broken = len(self.made) == 1
        self.stopped = False

    async def start(self):
        pass

    async def stop(self):
        self.stopped = True

    async def partitions_for(self, topic):
        return {0}

    def create_batch(self):
        class Batch:
            def append(self, **_):
                return object()

        return Batch()

    async def send_batch(self, batch, topic, partition):
        future = asyncio.get_running_loop().create_future()
        if self.broken:
            future.set_exception(OutOfOrderSequenceNumber())
        else:
            future.set_result(None)
        return future


async def test_a_producer_that_failed_is_replaced(monkeypatch):
    monkeypatch.setattr(kafka, "AIOKafkaProducer", FakeProducer)
    FakeProducer.made.clear()
    publisher = kafka.Publisher(KafkaSettings())
    await publisher.open()
    await asyncio.sleep(0)
    with pytest.raises(UnknownOutcome):
        await publisher.publish("topic", [("key", b"value")])
    await asyncio.sleep(0.01)
    await publisher.publish("topic", [("key", b"value")])
    first, second = FakeProducer.made
    assert first.stopped
    assert not second.stopped
    await publisher.close()
    assert second.stopped
