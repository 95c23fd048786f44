"""Real Prometheus scrapes the loaded shop: every query of every panel and alert is run and must find data.

What cannot be there on one machine is listed with the reason. Needs prometheus on PATH (apt install prometheus).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil

import grpc
import pytest
import yaml

from dev.layout import ROOT
from dev.monitor import RULES, SCRAPE_SECONDS, Monitor
from services.common import flow
from services.common.dtm.client import Dtm, SagaFailed
from services.common.dtm.transaction import Step, saga
from services.common.pb.eshop.stock.v1 import branches_pb2 as stock_pb2
from tests.shop import new_gid, new_number, purchase

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")

DASHBOARDS = sorted((ROOT / "charts" / "eshop" / "dashboards").glob("*.json"))
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
VARIABLES = {"$release": "local", "$namespace": "local", "$__rate_interval": "30s"}
COMPARISON = re.compile(r"\s(==|>=|>)\s")
SELECTOR = re.compile(r"\b((?:eshop|dtm|kube|up)(?:_\w+)?)(\{[^}]*\})?")

# Metrics that are not here, by the beginning of their name or selector.
ABSENT = {
    "kube_": "kube-state-metrics runs on a cluster",
    "container_": "the kubelet's cAdvisor runs on a cluster",
    "kafka_": "Debian has no package of the Kafka exporter",
    'eshop_orders_total{source="flash_sale", outcome="refused"}': "a yes that became a no: the shop would have a fault",
}
if not shutil.which("prometheus-mysqld-exporter"):
    ABSENT["mysql_"] = "prometheus-mysqld-exporter is not installed"
if not shutil.which("prometheus-redis-exporter"):
    ABSENT["redis_"] = "prometheus-redis-exporter is not installed"


def absent(expression: str) -> bool:
    return any(re.search(rf"(?<![a-z_]){re.escape(name)}", expression) for name in ABSENT)


def panel_queries():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield pytest.param(target["expr"], id=f"{path.stem}: {panel['title']}: {target['legendFormat']}")


def alert_selectors():
    for alert in ALERTS:
        for name, labels in dict.fromkeys(SELECTOR.findall(alert["expr"])):
            yield pytest.param(f"{name}{labels}", id=f"{alert['alert']}: {name}{labels}")


@pytest.fixture(scope="module")
async def monitor(shop, kafka):
    """Prometheus, after some scrapes of a shop under load; the load goes on while the tests ask."""
    monitor = Monitor(shop.stack)
    for act in (shop.stack.restart, shop.stack.wait_ready):  # alerts are not to see what earlier tests provoked
        await asyncio.to_thread(act, "order", "flash_sale")
    await fail(shop)
    await asyncio.to_thread(monitor.start)
    kafka.send(flow.ORDER_SUBMITTED, ("unreadable", b"\xff\xff"))
    loads = [asyncio.create_task(buy_and_submit(shop, await shop.product(10**6), await shop.flash_sale(10**6)))]
    loads += [asyncio.create_task(be_refused(shop, await shop.product(0), await shop.flash_sale(1)))]
    await asyncio.sleep(8 * SCRAPE_SECONDS)
    yield monitor
    for load in loads:
        load.cancel()
    await asyncio.gather(*loads, return_exceptions=True)
    await asyncio.to_thread(monitor.stop)


async def fail(shop) -> None:
    """One failure of each kind that alerts count: of a request, of a call, and of a saga's branch."""
    await asyncio.to_thread(shop.stack.stop, "product")
    assert (await shop.get("/product/list?page=0&limit=1")).status == 503
    for act in (shop.stack.start, shop.stack.wait_ready):
        await asyncio.to_thread(act, "product")
    deduction = stock_pb2.DeductRequest(items=[stock_pb2.Deduction(product_id=await shop.product(0), count=1)])
    with pytest.raises(grpc.aio.AioRpcError, match="only DTM may call a branch"):
        await shop.branch(flow.DEDUCT_STOCK, deduction, gid="")
    dtm = Dtm("dtm-mysql", shop.stack.address("coordinator-mysql", "grpc"))
    addresses = {"stock": shop.stack.address("stock", "grpc")}
    await dtm.open()
    with pytest.raises(SagaFailed):
        await dtm.run_saga(saga(new_gid(), [Step(flow.DEDUCT_STOCK, deduction)], addresses), 10)
    await dtm.close()


async def buy_and_submit(shop, product: int, sale: int) -> None:
    while True:
        order = purchase(new_number(), product, coupon=0)
        bought = [shop.buy(new_number(), sale) for _ in range(10)]
        answers = await asyncio.gather(shop.submit(order), shop.send(order), *bought)
        assert {answer.status for answer in answers} == {200}, answers
        await asyncio.sleep(0.05)


async def be_refused(shop, product: int, sale: int) -> None:
    while True:
        user = new_number()
        await asyncio.gather(
            shop.submit(purchase(user, product)),
            shop.send(purchase(user, product)),
            shop.buy(user, sale),
            shop.get("/order/unknown"),
            shop.get("/product/list?page=0&limit=1"),
        )
        await asyncio.sleep(0.5)


async def ask(monitor, expression: str) -> list:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return await asyncio.to_thread(monitor.query, expression)


@pytest.mark.parametrize("expression", list(panel_queries()))
async def test_every_query_of_every_panel_finds_data(monitor, expression):
    series = await ask(monitor, expression)
    if absent(expression):
        assert not series, f"this is said to be absent, and is here: {expression}"
        return
    assert any(not math.isnan(float(one["value"][1])) for one in series), f"no data: {expression}"


@pytest.mark.parametrize("selector", list(alert_selectors()))
async def test_every_series_that_an_alert_looks_at_exists(monitor, selector):
    series = await ask(monitor, selector)
    assert absent(selector) or series, f"no data: {selector}"


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
async def test_every_alert_as_a_whole_has_something_to_compare(monitor, alert):
    """Comparisons say 0 or 1 here instead of leaving series out, so that labels that do not match would show."""
    expression = COMPARISON.sub(r" \1 bool ", alert["expr"]).replace(" unless ", " or ")
    expression = expression.replace(":30s]", f":{SCRAPE_SECONDS}s]")  # there is less than a minute to look back on
    series = await ask(monitor, expression)
    assert bool(series) != absent(alert["expr"]), expression


async def test_every_alert_is_loaded_and_evaluates_and_a_healthy_shop_fires_none(monitor):
    rules = {rule["name"]: rule for rule in await asyncio.to_thread(monitor.rules)}
    assert set(rules) == {alert["alert"] for alert in ALERTS}
    assert {name: rule["lastError"] for name, rule in rules.items() if rule["health"] != "ok"} == {}
    firing = {name for name, rule in rules.items() if rule["state"] == "firing"}
    assert firing <= {"EshopDeadLetters"}, "the test wrote a dead letter, and nothing else is wrong"


async def test_every_process_is_scraped(monitor):
    down = {target for target, health in (await asyncio.to_thread(monitor.targets)).items() if health != "up"}
    assert not down


async def test_routes_are_templates(monitor, shop):
    """However many orders are asked for, there is one series."""
    await asyncio.gather(*(shop.get(f"/order/{new_number()}") for _ in range(20)))
    await asyncio.sleep(2 * SCRAPE_SECONDS)
    routes = {
        one["metric"]["route"]
        for one in await ask(monitor, 'eshop_http_request_duration_seconds_count{service="gateway"}')
    }
    assert "/api/v1/order/{order_id}" in routes
    assert not any(re.search(r"\d{3}", route) for route in routes)


async def test_the_lag_of_every_partition_is_known(monitor):
    for topic in flow.ORDER_TOPICS:
        series = await ask(monitor, f'eshop_kafka_consumer_lag{{topic="{topic}"}}')
        assert len({one["metric"]["partition"] for one in series}) == len(series) == 6


async def test_openmetrics_is_there_for_those_who_ask(monitor, shop):
    """Only this format carries exemplars."""
    url = f"{shop.stack.url('gateway')}/metrics"
    async with shop.http.get(url, headers={"accept": "application/openmetrics-text; version=1.0.0"}) as response:
        assert response.content_type == "application/openmetrics-text"
        assert (await response.text()).endswith("# EOF\n")
    async with shop.http.get(url) as response:
        assert response.content_type == "text/plain"
