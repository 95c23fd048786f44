"""The chart's own Prometheus: every process and store is scraped, alerts are loaded, dashboards are there."""

from __future__ import annotations

import json
import urllib.parse

import pytest
import yaml

from tests.cluster.release import CHART, COORDINATORS, SERVICES, eventually, run

# Grafana is left out: its image cannot be had everywhere, and it only shows what is tested here.
MONITORING = (
    "monitoring.enabled=true",
    "monitoring.grafana.enabled=false",
    "monitoring.prometheus.interval=5s",
    "monitoring.exporters.mysql.enabled=true",
    "monitoring.exporters.redis.enabled=true",
)


@pytest.fixture(scope="module")
def prometheus(shop):
    """Asks Prometheus, through the API server's proxy."""
    (shop.upgrade if shop.installed() else shop.install)(*MONITORING)
    root = f"/api/v1/namespaces/{shop.namespace}/services/{shop.name}-prometheus:9090/proxy/api/v1"

    def ask(path: str, **parameters: str):
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return json.loads(run("kubectl", "get", "--raw", f"{root}/{path}{query}"))["data"]

    return ask


def value(prometheus, expression: str) -> float | None:
    found = prometheus("query", query=expression)["result"]
    return float(found[0]["value"][1]) if found else None


def test_every_process_and_store_is_scraped(prometheus):
    expected = {*SERVICES, *COORDINATORS, "mysql", "redis"}

    def up() -> bool:
        targets = prometheus("targets", state="active")["activeTargets"]
        return {target["labels"]["service"] for target in targets if target["health"] == "up"} == expected

    eventually("every target is up", up, 120)


def test_the_exporters_may_ask_their_stores(prometheus):
    eventually("MySQL answers its exporter", lambda: value(prometheus, "mysql_up") == 1, 60)
    eventually("Redis answers its exporter", lambda: value(prometheus, "redis_up") == 1, 60)


def test_the_alerts_are_loaded_and_evaluate(prometheus):
    wanted = {
        rule["alert"]
        for group in yaml.safe_load((CHART / "alerts" / "eshop.yaml").read_text())["groups"]
        for rule in group["rules"]
    }

    def evaluated() -> bool:
        rules = [rule for group in prometheus("rules")["groups"] for rule in group["rules"]]
        return {rule["name"] for rule in rules if rule["health"] == "ok"} == wanted

    eventually("every alert has been evaluated", evaluated, 60)


def test_orders_are_counted(prometheus, shop):
    placed = 'sum(eshop_orders_total{outcome="placed"})'
    before = value(prometheus, placed) or 0
    assert "all orders are as they should be" in shop.test()
    eventually("the orders of helm test are seen", lambda: (value(prometheus, placed) or 0) > before, 60)


def test_the_dashboards_are_in_place(shop):
    found = shop.get("configmap", f"{shop.name}-dashboards")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["data"].keys() == {path.name for path in (CHART / "dashboards").glob("*.json")}
