"""What the chart gives to monitoring: operator objects, dashboards, a Prometheus and Grafana of its own, exporters; and
whether alerts, their tests, their runbook and the dashboards belong together."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from services.common.telemetry import metrics
from services.coordinator import metrics as coordinator_metrics
from tests.chart.rendering import CHART, EXTERNAL, ROOT, SERVICES

OPERATOR = [
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
]
EXPORTERS = {"mysql": {"enabled": True}, "redis": {"enabled": True}, "kafka": {"enabled": True}}
ALL = {"monitoring": {"enabled": True, "exporters": EXPORTERS}}
ALERTS = yaml.safe_load((CHART / "alerts" / "eshop.yaml").read_text())
TESTS = ROOT / "tests" / "chart" / "alerts.yaml"
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def names_of_alerts():
    return {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}


# Alerts


@needs_promtool
def test_the_alerts_are_valid():
    done = promtool("check", "rules", CHART / "alerts" / "eshop.yaml")
    assert done.returncode == 0, done.stderr


@needs_promtool
def test_every_alert_fires_when_it_should_and_only_then():
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_alert_is_made_to_fire_and_to_be_silent():
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names_of_alerts()
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names_of_alerts()


def test_every_alert_has_a_section_of_the_runbook_and_the_other_way_round():
    sections = set(re.findall(r"^## (Eshop\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.M))
    assert sections == names_of_alerts()
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
            assert rule["labels"]["severity"] in ("warning", "critical")


# Dashboards


def test_the_dashboards_are_those_of_the_code():
    rendered = pytest.importorskip("dev.dashboards.__main__").rendered()
    assert {name: json.loads(text) for name, text in rendered.items()} == DASHBOARDS


def test_panels_neither_overlap_nor_leave_the_grid():
    for name, dashboard in DASHBOARDS.items():
        taken = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, f"{name}: {panel['title']} lies on another panel"
            assert at["x"] + at["w"] <= 24
            taken |= cells


def kinds_and_labels(module):
    """Kind and labels of a module's metrics, by their names in Prometheus."""
    found = {}
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, metric._labelnames)
    return found


def series(metrics):
    """The names of their series."""
    ends = {"histogram": ("_bucket", "_sum", "_count")}
    return {f"{name}{end}" for name, (kind, _) in metrics.items() for end in ends.get(kind, ("",))}


def used(prefix):
    """Metrics with such names in dashboards and alerts."""
    return set(re.findall(rf"\b{prefix}_\w+", json.dumps(DASHBOARDS) + json.dumps(ALERTS)))


def test_metrics_of_dashboards_and_alerts_are_those_of_the_code():
    assert used("eshop") <= series(kinds_and_labels(metrics))


def test_the_documentation_has_every_metric_with_its_kind_and_labels():
    rows = re.findall(r"^\| `(eshop_\w+)` \| (\w+) \|(.*?)\|", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert documented == kinds_and_labels(metrics)


# What DTM 1.18 registers in dtmsvr/metrics.go; its dtm_server_info has labels of its own.
OFFICIAL = {
    "dtm_server_process_total": ("counter", ("type", "api", "status")),
    "dtm_server_response_duration": ("histogram", ("type", "api")),
    "dtm_transaction_process_total": ("counter", ("model", "status")),
    "dtm_transaction_handled_duration": ("histogram", ("model",)),
    "dtm_branch_process_total": ("counter", ("model", "branchid", "branchtype", "status")),
}


def test_both_coordinators_have_the_metrics_of_dashboards_and_alerts():
    embedded = kinds_and_labels(coordinator_metrics)
    assert {name: embedded[name] for name in embedded if name != "dtm_server_info"} == OFFICIAL
    assert used("dtm") <= series(OFFICIAL)


def test_dashboards_are_one_config_map_for_the_sidecar(render):
    found = render().one("ConfigMap", "eshop-dashboards")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in found["data"].items()} == DASHBOARDS
    assert "eshop-dashboards" not in render({"observability": {"dashboards": {"enabled": False}}}).kind("ConfigMap")


# For the operator


def test_without_the_operators_crds_there_is_nothing_of_it(render):
    kinds = {o["kind"] for o in render()}
    assert not kinds & {"ServiceMonitor", "PrometheusRule", "PodMonitor"}


def test_service_monitors_find_every_service_once_by_its_metrics_port(render):
    rendered = render(ALL, options=OPERATOR)
    found = {}
    for monitor in rendered.kind("ServiceMonitor").values():
        [endpoint] = monitor["spec"]["endpoints"]
        [chosen] = monitor["spec"]["selector"]["matchExpressions"]
        for name, service in rendered.kind("Service").items():
            labels = service["metadata"]["labels"]
            if (
                labels.items() >= monitor["spec"]["selector"]["matchLabels"].items()
                and labels[chosen["key"]] in chosen["values"]
            ):
                assert name not in found
                assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
                found[name] = endpoint["path"]
    assert found == {
        **{f"eshop-{name}": "/metrics" for name in SERVICES},
        **dict.fromkeys(("eshop-dtm-mysql", "eshop-dtm-redis"), "/api/metrics"),
        **{f"eshop-{store}-exporter": "/metrics" for store in EXPORTERS},
    }


def test_the_rule_of_the_operator_is_the_file_with_the_owners_runbook(render):
    values = {"observability": {"alerts": {"runbook": "https://wiki.example.com/eshop", "labels": {"team": "shop"}}}}
    rule = render(values, options=OPERATOR).one("PrometheusRule", "eshop-alerts")
    assert rule["metadata"]["labels"]["team"] == "shop"
    assert {one["alert"] for one in rule["spec"]["groups"][0]["rules"]} == names_of_alerts()
    links = {one["annotations"]["runbook_url"] for one in rule["spec"]["groups"][0]["rules"]}
    assert all(link.startswith("https://wiki.example.com/eshop#eshop") for link in links)


# Prometheus and Grafana of the chart's own


def test_nothing_of_it_by_default(render):
    names = {o["metadata"]["name"] for o in render()}
    assert not {name for name in names if re.search("prometheus|grafana|exporter", name)}


@needs_promtool
def test_its_prometheus_has_a_valid_configuration_and_the_alerts(render, tmp_path):
    data = render(ALL).one("ConfigMap", "eshop-prometheus")["data"]
    rules = tmp_path / "alerts.yaml"
    rules.write_text(data["alerts.yaml"])
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(data["prometheus.yml"].replace("/etc/prometheus/alerts.yaml", str(rules)))
    done = promtool("check", "config", "--syntax-only", configuration)
    assert done.returncode == 0, done.stderr
    assert promtool("check", "rules", rules).returncode == 0


def test_its_prometheus_needs_no_rights_at_the_api_server(render):
    rendered = render(ALL)
    assert not {o["kind"] for o in rendered} & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    pod = rendered.one("Deployment", "eshop-prometheus")["spec"]["template"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["metadata"]["labels"]["eshop/needs-metrics"] == "true"


def test_it_finds_every_process_by_a_service_that_lists_pods_that_are_not_ready_too(render):
    rendered = render(ALL)
    found = {}
    for job in yaml.safe_load(rendered.one("ConfigMap", "eshop-prometheus")["data"]["prometheus.yml"])[
        "scrape_configs"
    ]:
        [discovery] = job["dns_sd_configs"]
        service = rendered.one("Service", discovery["names"][0])["spec"]
        assert service["clusterIP"] == "None"
        [pod] = [
            pod
            for name, pod in rendered.pods().items()
            if name.startswith("Deployment/") and service["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        ports = {port["containerPort"] for container in pod["spec"]["containers"] for port in container["ports"]}
        assert discovery["port"] in ports
        labels = {rule["target_label"]: rule["replacement"] for rule in job["relabel_configs"]}
        assert labels == {"job": "eshop", "release": "eshop", "namespace": "shop", "service": job["job_name"]}
        found[job["job_name"]] = (job["metrics_path"], service.get("publishNotReadyAddresses", False))
    assert found == {
        **dict.fromkeys(SERVICES, ("/metrics", True)),
        **dict.fromkeys(("dtm-mysql", "dtm-redis"), ("/api/metrics", True)),
        **dict.fromkeys(EXPORTERS, ("/metrics", False)),
    }


def test_external_coordinators_are_left_to_their_owners(render):
    data = render({**EXTERNAL, **ALL}).one("ConfigMap", "eshop-prometheus")["data"]
    jobs = {job["job_name"] for job in yaml.safe_load(data["prometheus.yml"])["scrape_configs"]}
    assert jobs == {*SERVICES, *EXPORTERS}


def test_grafana_can_be_left_out_and_has_a_password_of_its_own(render):
    rendered = render(ALL)
    assert rendered.one("Secret", "eshop-grafana")["data"]["password"]
    assert "GF_SECURITY_ADMIN_PASSWORD__FILE" in json.dumps(rendered.one("Deployment", "eshop-grafana"))
    without = render({"monitoring": {"enabled": True, "grafana": {"enabled": False}}})
    assert "eshop-grafana" not in without.kind("Deployment") | without.kind("Secret") | without.kind("Service")
    assert "eshop-prometheus" in without.kind("Deployment")


def test_exporters_reach_external_stores_with_their_secrets(render):
    rendered = render({**EXTERNAL, "monitoring": {"exporters": EXPORTERS}})
    mysql = rendered.one("Deployment", "eshop-mysql-exporter")["spec"]["template"]["spec"]["containers"][0]
    environment = {variable["name"]: variable for variable in mysql["env"]}
    assert environment["MYSQLD_EXPORTER_PASSWORD"]["valueFrom"]["secretKeyRef"] == {
        "name": "their-mysql",
        "key": "reader-password",
    }
    assert environment["DATA_SOURCE_NAME"]["value"].endswith("@(db.example.com:3307)/")
    assert "host=db.example.com" in rendered.one("ConfigMap", "eshop-mysql-exporter")["data"]["config"]
    kafka = rendered.one("Deployment", "eshop-kafka-exporter")["spec"]["template"]["spec"]["containers"][0]
    assert kafka["args"] == ["--kafka.server=k0.example.com:9093", "--kafka.server=k1.example.com:9093"]
    ports = rendered.one("NetworkPolicy", "eshop-redis-exporter")["spec"]["egress"][1]["ports"]
    assert ports == [{"port": 6380}]
