"""Lag by partition, sagas by outcome and age, and the format that carries exemplars."""

from __future__ import annotations

import asyncio
import re

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from services.common.telemetry import consumer_lag, metrics, sagas, traces


class Consumer:
    """Stands for aiokafka's: offsets by partition of one topic."""

    def __init__(self, ends, committed):
        self.ends, self.committed_offsets, self.away = ends, committed, False

    def assignment(self):
        return {TopicPartition("topic", number) for number in self.ends}

    async def end_offsets(self, partitions):
        if self.away:
            raise KafkaError
        return {partition: self.ends[partition.partition] for partition in partitions}

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 3)

    async def committed(self, partition):
        return self.committed_offsets[partition.partition]


def shown():
    """Lag by partition, as a scrape sees it."""
    found = re.findall(r'eshop_kafka_consumer_lag\{partition="(\d+)",topic="topic"\} (\S+)', generate_latest().decode())
    return {int(partition): float(lag) for partition, lag in found}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(consumer_lag, "_SECONDS", 0.01)


async def test_lag_is_what_is_not_committed_and_moved_partitions_disappear(quick):
    consumer = Consumer({0: 10, 1: 10, 2: 10}, {0: 4, 1: 10, 2: None})
    watch = asyncio.create_task(consumer_lag.watch(consumer))
    await asyncio.sleep(0.05)
    assert shown() == {0: 6, 1: 0, 2: 7}, "where nothing is committed, all that is kept is behind"
    consumer.ends = {1: 25}
    await asyncio.sleep(0.05)
    assert shown() == {1: 15}
    consumer.away = True
    await asyncio.sleep(0.05)
    assert shown() == {1: 15}, "unknown is not zero"
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert shown() == {}


async def test_lag_shows_as_soon_as_there_are_partitions(monkeypatch):
    """A consumer that fails at its first batch and starts again would else never show what waits for it."""
    monkeypatch.setattr(consumer_lag, "_SECONDS_UNASSIGNED", 0.01)
    consumer = Consumer({}, {0: 4})
    watch = asyncio.create_task(consumer_lag.watch(consumer))
    await asyncio.sleep(0.05)
    consumer.ends = {0: 10}
    await asyncio.sleep(0.1)
    assert shown() == {0: 6}
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


def sample(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.parametrize("outcome", ["succeed", "failed", "unknown"])
def test_sagas_are_counted_by_outcome(outcome):
    before = sample("eshop_saga_duration_seconds_count", outcome=outcome)
    with sagas.Observed() as observed:
        assert sample("eshop_sagas_open") == 1
        assert 0 < sample("eshop_saga_oldest_seconds") < 1
        if outcome != "unknown":
            observed.outcome = outcome
    assert sample("eshop_saga_duration_seconds_count", outcome=outcome) == before + 1
    assert sample("eshop_sagas_open") == sample("eshop_saga_oldest_seconds") == 0


def test_a_saga_that_ends_in_an_error_nobody_expected_is_unknown():
    before = sample("eshop_saga_duration_seconds_count", outcome="unknown")
    with pytest.raises(RuntimeError), sagas.Observed():
        raise RuntimeError
    assert sample("eshop_saga_duration_seconds_count", outcome="unknown") == before + 1
    assert sample("eshop_sagas_open") == 0


def test_a_pool_is_asked_at_the_scrape():
    used = [3]
    metrics.watch_pool("test", 8, lambda: used[0])
    assert sample("eshop_pool_connections_in_use", pool="test") == 3
    used[0] = 5
    assert sample("eshop_pool_connections_in_use", pool="test") == 5
    assert sample("eshop_pool_connections_max", pool="test") == 8


def test_latencies_of_traced_requests_carry_their_trace():
    traces.start(TracerProvider().get_tracer("test"), 1)
    try:
        with traces.request({"method": "GET", "headers": ()}, "/x"):
            trace_id = traces.trace_id()
            metrics.GRPC_DURATION.labels("/test", "OK").observe(0.003, traces.exemplar())
        metrics.GRPC_DURATION.labels("/test", "OK").observe(0.3, traces.exemplar())
    finally:
        traces.start(None, 0)
    lines = [line for line in generate_openmetrics(REGISTRY).decode().splitlines() if 'method="/test"' in line]
    assert [line for line in lines if "trace_id" in line] == [line for line in lines if trace_id in line] != []
