"""Renders the chart with helm and gives its objects as parsed YAML."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "eshop"
KUBE_VERSION = "1.33.0"

Object = dict[str, Any]


class Rendered(list[Object]):
    """The objects of one rendering."""

    def kind(self, kind: str) -> dict[str, Object]:
        """All of one kind, by name."""
        return {o["metadata"]["name"]: o for o in self if o["kind"] == kind}

    def one(self, kind: str, name: str) -> Object:
        found = self.kind(kind)
        assert name in found, f"no {kind} {name}; there are {sorted(found)}"
        return found[name]

    def pods(self) -> dict[str, Object]:
        """Every pod specification, by `Kind/name` of the object that holds it."""
        found = {}
        for o in self:
            spec = o.get("spec", {})
            if o["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            if o["kind"] == "Pod":
                found[f"Pod/{o['metadata']['name']}"] = {"metadata": o["metadata"], "spec": spec}
            elif "template" in spec:
                found[f"{o['kind']}/{o['metadata']['name']}"] = spec["template"]
        return found


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("helm") is None:
        pytest.skip("helm is not on the PATH")
    return subprocess.run(["helm", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def template(
    tmp: Path, values: Object | None = None, release="eshop", namespace="shop", files=(), options=(), chart=CHART
) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    arguments: list[str | Path] = ["template", release, chart, "--namespace", namespace, "--kube-version", KUBE_VERSION]
    for name in files:
        arguments += ["--values", CHART / name]
    if values:
        path = tmp / "values.yaml"
        path.write_text(json.dumps(values))
        arguments += ["--values", path]
    return helm(*arguments, *options)


def next_version(folder: Path) -> Path:
    """A copy of the chart as its next release."""
    chart = folder / "next"
    shutil.copytree(CHART, chart)
    for path in (chart / "Chart.yaml", *chart.glob("charts/*/Chart.yaml")):
        path.write_text(path.read_text().replace("ersion: 0.1.0", "ersion: 0.2.0"))
    return chart


def merge(values: Object, changes: Object) -> Object:
    """Values with changes laid over them, as helm does."""
    merged = dict(values)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


# Everything that a value switches on, and the CRDs that it needs.
EVERYTHING = {
    "services": {"gateway": {"autoscaling": {"enabled": True}}},
    "loadTest": {"enabled": True},
    "monitoring": {"enabled": True, "exporters": {store: {"enabled": True} for store in ("mysql", "redis", "kafka")}},
    "ingress": {"enabled": True, "host": "shop.example.com", "tls": {"secretName": "cert"}},
    "gatewayAPI": {"enabled": True, "parentRefs": [{"name": "public"}]},
}
CRDS = [
    "--api-versions=gateway.networking.k8s.io/v1/HTTPRoute",
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
]

EXTERNAL = {
    "mysql": {"enabled": False, "external": {"host": "db.example.com", "port": 3307}, "existingSecret": "their-mysql"},
    "redis": {
        "enabled": False,
        "external": {"host": "cache.example.com", "port": 6380},
        "existingSecret": "their-redis",
    },
    "kafka": {"enabled": False, "external": {"brokers": ["k0.example.com:9093", "k1.example.com:9093"]}},
    "dtm-mysql": {"enabled": False, "external": {"host": "dtm.example.com", "httpPort": 1001, "grpcPort": 1002}},
    "dtm-redis": {"enabled": False, "external": {"host": "dtm2.example.com", "httpPort": 1003, "grpcPort": 1004}},
}
SERVICES = ("gateway", "user", "product", "order", "stock", "coupon", "pay", "flash-sale")
