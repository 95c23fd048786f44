"""Spans in memory: when a trace begins, what goes on with it, what batches link, and that nothing is made when off."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from services.common.batching import Batcher
from services.common.settings import ProcessSettings
from services.common.telemetry import span_export, traces

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


@pytest.fixture
def exporter():
    """Tracing of everything, into memory."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    traces.start(provider.get_tracer("test"), 1)
    yield memory
    traces.start(None, 0)


@pytest.fixture
def off():
    traces.start(None, 0)


def request(*headers: tuple[bytes, bytes]):
    return traces.request({"method": "GET", "headers": headers}, "/order/{id}")


def names(exporter):
    return [span.name for span in exporter.get_finished_spans()]


# Sampling


def test_a_trace_begins_at_a_request(exporter):
    with request() as root:
        assert traces.trace_id() == format(root.get_span_context().trace_id, "032x")
        with traces.span("step"):
            pass
    step, request_span = exporter.get_finished_spans()
    assert step.parent.span_id == request_span.context.span_id
    assert (request_span.name, request_span.kind) == ("GET /order/{id}", SpanKind.SERVER)
    assert request_span.parent is None
    assert traces.trace_id() == ""


def test_no_step_begins_one(exporter):
    with traces.span("step") as span:
        assert span is None
    assert names(exporter) == []


def test_the_caller_decides_before_the_ratio_does(exporter):
    with request((b"traceparent", f"{PARENT}-00".encode())) as span:
        assert span is None
    traces.start(traces._tracer, 0)
    with request() as span:
        assert span is None
    with request((b"traceparent", f"{PARENT}-01".encode())):
        pass
    [span] = exporter.get_finished_spans()
    assert format(span.parent.span_id, "016x") == PARENT[-16:]


@pytest.mark.parametrize(
    "header", [b"", b"nonsense", b"00-0-0-01", b"\xff\xfe", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"]
)
def test_a_traceparent_that_is_none_is_as_good_as_none(exporter, header):
    with request((b"traceparent", header)):
        pass
    assert all(span.parent is None for span in exporter.get_finished_spans())


def test_the_ratio_is_the_share_of_requests(exporter, monkeypatch):
    draws = iter([0.004, 0.011, 0.5])
    monkeypatch.setattr(traces.random, "random", lambda: next(draws))
    traces.start(traces._tracer, 0.01)
    sampled = []
    for _ in range(3):
        with request() as span:
            sampled.append(span is not None)
    assert sampled == [True, False, False]


# Carrying on


def test_headers_lead_to_the_same_trace(exporter):
    assert traces.headers() == {}
    with request() as root:
        carried = traces.headers()
        assert traces.exemplar() == {"trace_id": traces.trace_id()}
    sender = traces.sender([("other", b"1"), *((name, value.encode()) for name, value in carried.items())])
    assert sender.get_span_context().span_id == root.get_span_context().span_id
    assert traces.sender([]) is traces.sender(None) is None


def test_an_error_is_named_and_its_message_is_not_told(exporter):
    with request(), pytest.raises(ValueError, match="secret"), traces.span("step"):
        raise ValueError("secret")
    step = exporter.get_finished_spans()[0]
    assert step.status.status_code is StatusCode.ERROR
    assert step.attributes["error.type"] == "ValueError"
    assert "secret" not in step.to_json()


# Batches


async def test_a_batch_links_to_its_members_and_they_to_it(exporter):
    seen = []

    async def run(items):
        seen.append((len(items), traces.current()))
        return items

    batcher = Batcher("test", run, max_items=10, in_flight=1)

    async def ask(sampled):
        if not sampled:
            return await batcher.add(1)
        with request():
            return await batcher.add(1)

    await asyncio.gather(*(ask(sampled) for sampled in (False, True, True, False)))
    [batch] = [span for span in exporter.get_finished_spans() if span.name == "batch test"]
    members = [span for span in exporter.get_finished_spans() if span.name != "batch test"]
    assert [size for size, _ in seen] == [4]
    assert seen[0][1].get_span_context().span_id == batch.context.span_id
    assert batch.parent.span_id in {member.context.span_id for member in members}
    assert {link.context.span_id for link in batch.links} == {member.context.span_id for member in members}
    assert all([link.context.span_id for link in member.links] == [batch.context.span_id] for member in members)
    assert batch.attributes["batch.items"] == 4


async def test_the_times_of_batches_lead_to_the_traces_of_their_members(exporter):
    async def run(items):
        return items

    batcher = Batcher("exemplars", run, max_items=10, in_flight=1)

    async def ask(sampled):
        if not sampled:
            return await batcher.add(1)
        with request():
            return await batcher.add(1)

    await asyncio.gather(ask(False))
    assert exemplars_of_batches() == []
    await asyncio.gather(ask(False), ask(True))
    [trace_id] = {format(span.context.trace_id, "032x") for span in exporter.get_finished_spans()}
    assert exemplars_of_batches() == [("duration", trace_id), ("wait", trace_id)]


def exemplars_of_batches():
    text = generate_latest(REGISTRY).decode()
    found = re.findall(r'eshop_batch_(\w+)_seconds_bucket\{batcher="exemplars",.*trace_id="(\w+)"', text)
    return sorted(found)


async def test_a_batch_of_nobody_sampled_is_in_nobodys_trace(exporter):
    """The request whose arrival starts the work must not give its trace to the batches after its own."""
    seen = []
    release = asyncio.Event()

    async def run(items):
        seen.append(traces.trace_id())
        await release.wait()
        return items

    batcher = Batcher("test", run, max_items=1, in_flight=1)
    with request():
        first = asyncio.create_task(batcher.add(1))
        await asyncio.sleep(0)
    second = asyncio.create_task(batcher.add(2))
    release.set()
    await asyncio.gather(first, second)
    assert seen[0]
    assert seen[1] == ""


# Off


async def test_off_there_is_nothing_at_all(off):
    async def handler(request, context):
        return request

    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    assert traces.served("/a.B/C", handler) is handler
    assert traces.connected(channel) is channel
    assert request((b"traceparent", f"{PARENT}-01".encode())) is traces.span("a") is traces.batch("b", [None])
    assert traces.exemplar() is None
    await channel.close()


def test_off_is_the_default():
    assert span_export.provider("order", ProcessSettings()) is None


# Export


def test_spans_go_to_a_file_that_its_owner_alone_reads(tmp_path):
    path = tmp_path / "spans.jsonl"
    providers = [span_export.provider(name, ProcessSettings(trace_file=str(path))) for name in ("order", "flash_sale")]
    for provider in providers:
        provider.get_tracer("test").start_span("work").end()
        provider.shutdown()
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"eshop-order", "eshop-flash-sale"}
    assert path.stat().st_mode & 0o777 == 0o600


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.spans = []

    def Export(self, request, context):
        for resource in request.resource_spans:
            self.spans += [span.name for scope in resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


def test_spans_go_to_a_collector_by_otlp():
    collector, server = Collector(), grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    provider = span_export.provider("order", ProcessSettings(otlp_endpoint=f"127.0.0.1:{port}"))
    provider.get_tracer("test").start_span("work").end()
    provider.shutdown()  # what waits is sent first
    assert collector.spans == ["work"]
    server.stop(0)
