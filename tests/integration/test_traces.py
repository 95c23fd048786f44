"""The whole trace of an order, of a buffered order and of a flash sale: span names, parents and links.

The services run again with a file as the exporter; requests are sampled by their traceparent, since the ratio is 0.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import time
from collections import Counter

import pytest

from dev.layout import SERVICES
from dev.monitor import Monitor
from tests.shop import eventually, new_number, purchase

BRANCHES = {
    "eshop.stock.v1.StockBranches/Deduct": "eshop-stock",
    "eshop.pay.v1.PayBranches/CreatePayments": "eshop-pay",
    "eshop.order.v1.OrderBranches/CreateOrders": "eshop-order",
}
# Of an order's way, by the process that measures them.
LATENCIES = (
    'eshop_http_request_duration_seconds{service="gateway", route="/api/v1/order/submit"}',
    'eshop_batch_wait_seconds{service="gateway", batcher="gateway.SubmitMany"}',
    'eshop_batch_duration_seconds{service="gateway", batcher="gateway.SubmitMany"}',
    'eshop_grpc_server_duration_seconds{service="order", method="/eshop.order.v1.OrderService/SubmitMany"}',
    'eshop_batch_duration_seconds{service="order", batcher="placement"}',
    'eshop_saga_duration_seconds{service="order", outcome="succeed"}',
    'eshop_grpc_server_duration_seconds{service="stock", method="/eshop.stock.v1.StockBranches/Deduct"}',
)


@pytest.fixture(scope="module")
async def spans(stack, tmp_path_factory):
    """The file that every service writes its spans to."""
    path = tmp_path_factory.mktemp("traces") / "spans.jsonl"
    kept = dict(os.environ)
    os.environ |= {"ESHOP_TRACE_FILE": str(path), "ESHOP_TRACE_RATIO": "0"}
    try:
        await asyncio.to_thread(stack.restart, *SERVICES)
        await asyncio.to_thread(stack.wait_ready, *SERVICES)
        yield path
    finally:
        os.environ.clear()
        os.environ |= kept
        await asyncio.to_thread(stack.restart, *SERVICES)
        await asyncio.to_thread(stack.wait_ready, *SERVICES)


class Trace:
    """The spans of one trace, by name; names that come twice are lists."""

    def __init__(self, path, trace_id: str) -> None:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.spans = [span for span in lines if span["context"]["trace_id"] == f"0x{trace_id}"]
        self._by_id = {span["context"]["span_id"]: span for span in self.spans}

    def all(self, name: str) -> list[dict]:
        return [span for span in self.spans if span["name"] == name]

    def one(self, name: str) -> dict:
        [span] = self.all(name)
        return span

    def path(self, span: dict) -> list[str]:
        """Names from the span up to the root; a caller from outside, whose span is not ours, ends it."""
        names = []
        while span:
            names.append(span["name"])
            span = self._by_id.get(span["parent_id"])
        return names


class Caller:
    """Sends requests that are sampled, each with a trace of its own."""

    def __init__(self, shop, path) -> None:
        self._shop = shop
        self._path = path

    async def post(self, path: str, body: dict) -> tuple[str, dict]:
        """Trace id, and the data of the answer."""
        trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
        headers = {"traceparent": f"00-{trace_id}-{span_id}-01"}
        url = f"{self._shop.stack.url('gateway')}/api/v1{path}"
        async with self._shop.http.post(url, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            return trace_id, (await response.json())["data"]

    async def trace(self, trace_id: str, last: str) -> Trace:
        """The trace, once it has spans of the order's row and the named one."""

        async def whole() -> Trace | None:
            trace = Trace(self._path, trace_id)
            return trace if trace.all(last) and trace.all("eshop.order.v1.OrderBranches/CreateOrders") else None

        await eventually(whole, 30)
        await asyncio.sleep(2)  # spans leave their processes once a second
        return Trace(self._path, trace_id)


@pytest.fixture
def caller(shop, spans):
    return Caller(shop, spans)


def service(span: dict) -> str:
    return span["resource"]["attributes"]["service.name"]


def links(span: dict) -> set[str]:
    return {link["context"]["span_id"] for link in span["links"]}


def assert_linked(member: dict, batch: dict) -> None:
    """The batch links to its member and the member to its batch, whatever their traces."""
    assert member["context"]["span_id"] in links(batch)
    assert batch["context"]["span_id"] in links(member)


def assert_saga(trace: Trace, above: list[str]) -> None:
    """The saga's spans: DTM's calls of the branches are below the saga, as their headers say."""
    saga = trace.one("saga")
    assert trace.path(saga) == ["saga", *above]
    assert saga["attributes"]["saga.outcome"] == "succeed"
    assert service(saga) == "eshop-order"
    submits = [trace.path(span) for span in trace.all("dtmgimp.Dtm/Submit")]
    assert ["dtmgimp.Dtm/Submit", "saga", *above] in submits
    for name, where in BRANCHES.items():
        span = trace.one(name)
        assert service(span) == where
        assert trace.path(span) == [name, "saga", *above]
        assert span["attributes"]["dtm.gid"] == saga["attributes"]["dtm.gid"]
        assert span["attributes"]["dtm.op"] == "action"
        [transaction] = [one for one in trace.all("mysql transaction") if trace.path(one)[1] == name]
        assert service(transaction) == where


async def test_an_order_is_one_trace(shop, caller):
    product = await shop.product(5)
    trace_id, data = await caller.post("/order/submit", purchase(new_number(), product))
    trace = await caller.trace(trace_id, "POST /api/v1/order/submit")
    root = trace.one("POST /api/v1/order/submit")
    assert root["parent_id"] is not None, "it goes on with the caller's span"
    assert root["kind"] == "SpanKind.SERVER"
    assert root["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/api/v1/order/submit",
        "order_id": data["orderID"],
        "http.response.status_code": 200,
    }
    above = [
        "batch placement",
        "eshop.order.v1.OrderService/SubmitMany",
        "eshop.order.v1.OrderService/SubmitMany",
        "batch gateway.SubmitMany",
        "POST /api/v1/order/submit",
    ]
    assert_saga(trace, above)
    assert Counter(service(span) for span in trace.all(above[1])) == {"eshop-gateway": 1, "eshop-order": 1}
    assert_linked(root, trace.one("batch gateway.SubmitMany"))
    [server] = [span for span in trace.all(above[1]) if span["kind"] == "SpanKind.SERVER"]
    assert_linked(server, trace.one("batch placement"))
    looks = [span for span in trace.all("eshop.stock.v1.StockService/Look") if span["kind"] == "SpanKind.SERVER"]
    assert [trace.path(look)[2:] for look in looks] == [above]
    assert not [span for span in trace.spans if span["status"]["status_code"] == "ERROR"]


async def test_a_buffered_order_is_one_trace_through_kafka(shop, caller):
    product = await shop.product(5)
    trace_id, _ = await caller.post("/order/sendSubmitNotify", purchase(new_number(), product))
    trace = await caller.trace(trace_id, "process order.submitted")
    above = [
        "process order.submitted",
        "publish order.submitted",
        "eshop.order.v1.OrderService/SendSubmitNotifyMany",
        "eshop.order.v1.OrderService/SendSubmitNotifyMany",
        "batch gateway.SendSubmitNotifyMany",
        "POST /api/v1/order/sendSubmitNotify",
    ]
    assert_saga(trace, above)
    publish, process = trace.one("publish order.submitted"), trace.one("process order.submitted")
    assert (publish["kind"], process["kind"]) == ("SpanKind.PRODUCER", "SpanKind.CONSUMER")
    assert publish["context"]["span_id"] in links(process)


async def test_a_flash_sale_is_one_trace_from_the_buyer_to_the_order(shop, caller):
    sale = await shop.flash_sale(5)
    trace_id, data = await caller.post("/flashSale", {"userID": new_number(), "productID": sale, "amount": 100})
    trace = await caller.trace(trace_id, "process flash-sale.order-accepted")
    batch = [
        "batch sale",
        "eshop.flash_sale.v1.FlashSaleService/BuyMany",
        "eshop.flash_sale.v1.FlashSaleService/BuyMany",
        "batch gateway.BuyMany",
        "POST /api/v1/flashSale",
    ]
    above = [
        "process flash-sale.order-accepted",
        "publish flash-sale.order-accepted",
        "eshop.flash_sale.v1.FlashSaleBranches/PublishAccepted",
        *batch,
    ]
    assert_saga(trace, above)
    for name in ("dtmgimp.Dtm/Prepare", "redis script"):
        assert trace.path(trace.one(name)) == [name, *batch]
    assert batch in [trace.path(span)[1:] for span in trace.all("dtmgimp.Dtm/Submit")]
    assert trace.one("POST /api/v1/flashSale")["attributes"]["order_id"] == data["orderID"]
    assert_linked(trace.one("POST /api/v1/flashSale"), trace.one("batch gateway.BuyMany"))


async def test_a_batch_links_to_each_of_its_members(shop, caller):
    """Many buyers at once: some batch has several, is in the trace of one, and every one finds it by a link."""
    sale = await shop.flash_sale(100)
    body = {"productID": sale, "amount": 100}
    sent = await asyncio.gather(*(caller.post("/flashSale", {"userID": new_number(), **body}) for _ in range(40)))
    await caller.trace(sent[0][0], "process flash-sale.order-accepted")
    traces = [Trace(caller._path, trace_id) for trace_id, _ in sent]
    batches = {one["context"]["span_id"]: one for trace in traces for one in trace.all("batch gateway.BuyMany")}
    assert max(len(batch["links"]) for batch in batches.values()) > 1
    for trace in traces:
        root = trace.one("POST /api/v1/flashSale")
        [batch_id] = links(root)
        assert_linked(root, batches[batch_id])
    assert sum(len(batch["links"]) for batch in batches.values()) == len(sent)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
async def test_prometheus_leads_from_every_latency_to_the_trace(shop, caller):
    monitor, start = Monitor(shop.stack), time.time()
    trace_id, _ = await caller.post("/order/submit", purchase(new_number(), await shop.product(5)))
    await asyncio.to_thread(monitor.start)  # returns after the first scrape
    try:
        for selector in LATENCIES:
            series = selector.replace("{", "_bucket{")
            found = await asyncio.to_thread(monitor.exemplars, series, start, time.time() + 5)
            assert trace_id in {exemplar["labels"]["trace_id"] for exemplar in found}, selector
    finally:
        await asyncio.to_thread(monitor.stop)


async def test_the_log_leads_from_the_order_to_its_saga_and_its_trace(shop, caller, stack):
    order = stack.processes.pid("order")
    os.kill(order, signal.SIGUSR1)
    try:
        trace_id, data = await caller.post("/order/submit", purchase(new_number(), await shop.product(5)))
    finally:
        os.kill(order, signal.SIGUSR2)
    trace = await caller.trace(trace_id, "POST /api/v1/order/submit")
    lines = map(json.loads, stack.layout.log("order").read_text().splitlines())
    [line] = [line for line in lines if data["orderID"] in line.get("orders", ())]
    assert (line["event"], line["trace_id"]) == ("saga", trace_id)
    assert line["gid"] == trace.one("saga")["attributes"]["dtm.gid"]


async def test_what_is_not_sampled_leaves_no_span(shop, caller, spans):
    """Neither by the ratio, which is 0 here, nor by a caller who says no."""
    before = len(spans.read_text().splitlines())
    product = await shop.product(5)
    headers = {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"}
    url = f"{shop.stack.url('gateway')}/api/v1/order/submit"
    async with shop.http.post(url, json=purchase(1, product), headers=headers) as response:
        assert response.status == 200
    assert (await shop.submit(purchase(2, product))).status == 200
    await asyncio.sleep(2)
    assert len(spans.read_text().splitlines()) == before
