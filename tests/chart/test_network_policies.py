"""NetworkPolicies: what may talk to what. Clusters that do not enforce them would hide a missing line."""

from __future__ import annotations

import importlib
import re

import pytest

from services.common.flow import BRANCHES
from tests.chart.rendering import CRDS, EVERYTHING, EXTERNAL, ROOT, SERVICES

GRPC = re.compile(r"^(user|product|order|stock|coupon|pay|flash_sale)_grpc$")


def policies(rendered):
    return {name.removeprefix("eshop-"): policy["spec"] for name, policy in rendered.kind("NetworkPolicy").items()}


def allowed(rendered):
    """(from, to, port) that egress of one component and ingress of the other both let through."""
    specs = policies(rendered)
    labels = {
        p["metadata"]["labels"]["app.kubernetes.io/component"]: p["metadata"]["labels"]
        for p in rendered.pods().values()
    }
    found = set()
    for source, spec in specs.items():
        for rule in spec["egress"]:
            for peer in rule.get("to", []):
                if "podSelector" not in peer:
                    continue
                target = peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
                for port in (p["port"] for p in rule["ports"]):
                    for entry in specs[target]["ingress"]:
                        ports = {p["port"] for p in entry["ports"]}
                        peers = entry.get("from", [{"podSelector": {"matchLabels": {}}}])
                        matches = [p["podSelector"]["matchLabels"].items() <= labels[source].items() for p in peers]
                        if port in ports and any(matches):
                            found.add((source, target, port))
    return found


def test_every_pod_has_a_policy_for_both_directions(render):
    rendered = render(EVERYTHING, options=CRDS)
    specs = policies(rendered)
    components = {p["metadata"]["labels"]["app.kubernetes.io/component"] for p in rendered.pods().values()}
    assert components <= specs.keys()
    assert all(spec["policyTypes"] == ["Ingress", "Egress"] for spec in specs.values())
    for component, spec in specs.items():
        assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component


def test_the_flows_get_through_and_nothing_else_does(render):
    flows = allowed(render({"loadTest": {"enabled": True}}))
    expected = {("gateway", name, 8282) for name in SERVICES if name != "gateway"}
    expected |= {(name, "mysql", 3306) for name in ("user", "product", "order", "stock", "coupon", "pay", "dtm-mysql")}
    expected |= {(job, "mysql", 3306) for job in ("migrations", "purge", "test")}
    expected |= {(name, "kafka", 9092) for name in ("order", "flash-sale", "topics", "test")}
    expected |= {(name, "redis", 6379) for name in ("flash-sale", "dtm-redis", "test")}
    expected |= {("dtm-mysql", name, 8282) for name in ("order", "stock", "coupon", "pay")}
    expected |= {("dtm-redis", "flash-sale", 8282), ("stock", "flash-sale", 8282)}
    expected |= {("order", "stock", 8282), ("order", "coupon", 8282)}
    expected |= {("order", "dtm-mysql", port) for port in (36789, 36790)}
    expected |= {("flash-sale", "dtm-redis", port) for port in (36789, 36790)}
    expected |= {("test", name, port) for name in ("dtm-mysql", "dtm-redis") for port in (36789, 36790)}
    expected |= {("load-test", "gateway", 8080), ("test", "gateway", 8080)}
    assert flows == expected


def test_monitoring_reaches_what_it_scrapes(render):
    rendered = render(EVERYTHING, options=CRDS)
    specs = policies(rendered)
    everything = {"app.kubernetes.io/name": "eshop", "app.kubernetes.io/instance": "eshop"}
    assert {"to": [{"podSelector": {"matchLabels": everything}}]} in specs["prometheus"]["egress"]
    scraper = {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "eshop", "eshop/needs-metrics": "true"}}}
    exporters = {"mysql-exporter": 9104, "redis-exporter": 9121, "kafka-exporter": 9308}
    coordinators = {"dtm-mysql": 36789, "dtm-redis": 36789}
    for component, port in {**dict.fromkeys(SERVICES, 8080), **coordinators, **exporters}.items():
        assert {"from": [scraper], "ports": [{"port": port}]} in specs[component]["ingress"], component
    (store,) = [rule for rule in specs["mysql-exporter"]["egress"] if "to" in rule]
    assert store["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "mysql"
    labels = rendered.pods()["Deployment/eshop-mysql-exporter"]["metadata"]["labels"]
    assert labels["eshop/needs-mysql"] == "true"
    assert rendered.pods()["Deployment/eshop-grafana"]["metadata"]["labels"]["eshop/needs-prometheus"] == "true"


def test_coordinators_call_every_service_that_has_branches(render):
    flows = allowed(render({"loadTest": {"enabled": True}}))
    called = {target for source, target, _ in flows if source.startswith("dtm-")} - {"mysql", "redis"}
    assert called == {branch.service.replace("_", "-") for branch in BRANCHES}


def open_to(rule, rendered):
    """Components that this rule lets in to."""
    return {name for name, spec in policies(rendered).items() if rule in (spec["ingress"] or [])}


def test_a_coordinator_elsewhere_finds_the_services_and_may_call_them(render):
    addresses = render().one("ConfigMap", "eshop-addresses")["data"]
    assert addresses["ESHOP_STOCK_GRPC"] == "eshop-stock:8282"
    rendered = render({"dtm-mysql": EXTERNAL["dtm-mysql"]})
    assert rendered.one("ConfigMap", "eshop-addresses")["data"]["ESHOP_STOCK_GRPC"] == "eshop-stock.shop:8282"
    from_anywhere = {"ports": [{"port": 8282}]}
    assert open_to(from_anywhere, rendered) == {"order", "stock", "coupon", "pay"}
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "dtm"}}}
    narrowed = render({**EXTERNAL, "networkPolicy": {"coordinatorsFrom": [peer]}})
    assert open_to({**from_anywhere, "from": [peer]}, narrowed) == {"order", "stock", "coupon", "pay", "flash-sale"}
    assert open_to(from_anywhere, narrowed) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_needs_are_what_the_service_opens(render, service):
    """The addresses among a service's settings that it opens itself are its `needs`, and those alone."""
    module = service.replace("-", "_")
    fields = importlib.import_module(f"services.{module}.settings").Settings.model_fields
    wiring = "".join(path.read_text() for path in (ROOT / "services" / module).glob("*.py"))
    opened = {
        name for name in fields if GRPC.match(name) and re.search(rf"GrpcChannel\([^)]*settings\.{name}\b", wiring)
    }
    wanted = {name.removesuffix("_grpc").replace("_", "-") for name in opened}
    wanted |= {store for store in ("mysql", "redis") if f"{store}_host" in fields}
    wanted |= {"kafka"} if "kafka_brokers" in fields else set()
    wanted |= {name.removesuffix("_grpc").replace("_", "-") for name in fields if re.match(r"dtm_.*_grpc", name)}
    labels = render().pods()[f"Deployment/eshop-{service}"]["metadata"]["labels"]
    if service == "gateway":
        wanted = set(SERVICES) - {"gateway"}
    assert {label.removeprefix("eshop/needs-") for label in labels if label.startswith("eshop/needs-")} == wanted


def test_dns_is_open_to_all(render):
    for spec in policies(render()).values():
        assert {(p["port"], p["protocol"]) for p in spec["egress"][0]["ports"]} == {(53, "UDP"), (53, "TCP")}


def test_external_stores_open_their_ports(render):
    specs = policies(render({**EXTERNAL, "networkPolicy": {"externalCIDRs": ["10.1.0.0/16"]}}))
    assert not {"mysql", "redis", "kafka", "dtm-mysql", "dtm-redis"} & specs.keys()
    open_ports = {
        p["port"] for rule in specs["order"]["egress"] for p in rule["ports"] if "podSelector" not in str(rule)
    }
    assert open_ports == {53, 3307, 9093, 1001, 1002}
    blocks = [rule["to"] for rule in specs["order"]["egress"] if "ipBlock" in str(rule)]
    assert blocks == [[{"ipBlock": {"cidr": "10.1.0.0/16"}}]] * 3


def test_who_may_call_the_gateway_and_read_metrics(render):
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}
    specs = policies(render({"networkPolicy": {"gatewayFrom": [peer], "metricsFrom": [peer]}}))
    assert specs["gateway"]["ingress"][-1] == {"ports": [{"port": 8080}], "from": [peer]}
    assert [peer in entry.get("from", []) for entry in specs["user"]["ingress"]] == [False, True]
    assert policies(render())["gateway"]["ingress"][-1] == {"ports": [{"port": 8080}]}


def test_tracing_may_leave(render):
    specs = policies(render({"observability": {"tracing": {"endpoint": "otel.example.com:4317"}}}))
    assert {"ports": [{"port": 4317}]} in specs["user"]["egress"]
    assert {"ports": [{"port": 4317}]} not in specs["mysql"]["egress"]
    assert {"ports": [{"port": 4317}]} not in specs["dtm-mysql"]["egress"]  # DTM has no traces
    tracing = {"tracing": {"endpoint": "otel.example.com:4317"}}
    specs = policies(render({"dtm": {"engine": "embedded"}, "observability": tracing}))
    assert {"ports": [{"port": 4317}]} in specs["dtm-mysql"]["egress"]


def test_policies_can_be_switched_off(render):
    assert not render({"networkPolicy": {"enabled": False}}).kind("NetworkPolicy")
