"""values.schema.json: a wrong value is refused with a message that names it."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from tests.chart.rendering import CHART, EXTERNAL, helm

KUBE = ["--kube-version", "1.33.0"]

REFUSED = [
    ({"servises": {}}, "'servises'"),
    ({"services": {"order": {"replica": 2}}}, "/services/order': additional properties 'replica'"),
    ({"services": {"review": {"replicas": 2}}}, "/services/review': missing property 'needs'"),
    ({"services": {"Review": {"needs": []}}}, "'Review'"),
    ({"services": {"order": {"needs": ["mysqll"]}}}, "services.order.needs: mysqll"),
    ({"defaults": {"replicas": "many"}}, "/defaults/replicas': got string"),
    ({"defaults": {"resources": {"limit": {}}}}, "/defaults/resources': additional properties 'limit'"),
    ({"defaults": {"needs": ["mysql"]}}, "/defaults/needs"),
    ({"defaults": {"securityContext": {"privileged": True}}}, "/defaults/securityContext/privileged"),
    ({"defaults": {"env": {"lower": "x"}}}, "'lower'"),
    ({"defaults": {"env": {"NUMBER": 1}}}, "/defaults/env/NUMBER': got number"),
    ({"dtm": {"engine": "none"}}, "/dtm/engine': value must be one of 'official', 'embedded'"),
    ({"dtm": {"retryInterval": 5}}, "/dtm/retryInterval"),
    ({"defaults": {"securityContext": {"readOnlyRootFileSystem": True}}}, "'readOnlyRootFileSystem'"),
    ({"defaults": {"securityContext": {"capabilities": {"drop": []}}}}, "/defaults/securityContext/capabilities/drop"),
    ({"mysql": {"podSecurityContext": {"runAsNonRoot": False}}}, "/mysql/podSecurityContext/runAsNonRoot"),
    ({"mysql": {"podSecurityContext": {"runAsUser": 0}}}, "/mysql/podSecurityContext/runAsUser"),
    ({"mysql": {"podSecurityContext": {"fsgroup": 1}}}, "'fsgroup'"),
    ({"redis": {"tolerations": [{"effects": "NoSchedule"}]}}, "/redis/tolerations/0': additional properties 'effects'"),
    ({"kafka": {"affinity": {"podAfinity": {}}}}, "'podAfinity'"),
    (
        {"services": {"order": {"autoscaling": {"behavior": {"scaleUp": {"policies": [{"type": "Pod"}]}}}}}},
        "/services/order/autoscaling/behavior/scaleUp/policies/0",
    ),
    ({"defaults": {"podDisruptionBudget": {"maxUnavailable": "half"}}}, "/defaults/podDisruptionBudget/maxUnavailable"),
    ({"services": {"purge": {"needs": []}}}, "'purge'"),
    ({"networkPolicy": {"gatewayFrom": [{"podselector": {}}]}}, "/networkPolicy/gatewayFrom/0"),
    ({"gatewayAPI": {"parentRefs": [{"name": "public", "namespaces": "x"}]}}, "'namespaces'"),
    ({"monitoring": {"exporters": {"mysqll": {}}}}, "'mysqll'"),
    ({"mysql": {"adminUser": "admin"}}, "/mysql/adminUser"),
    ({"dtm": {"retryInterval": 40}}, "dtm.timeoutToFail (35) is below dtm.retryInterval (40)"),
    ({"dtm-mysql": {"calls": ["stok"]}}, "dtm-mysql.calls: there is no service stok"),
    (
        {"services": {"pay": {"terminationGracePeriodSeconds": 30}}},
        "services.pay.terminationGracePeriodSeconds (30) is below 48",
    ),
    ({"dtm-mysql": {"enabled": False}}, "/dtm-mysql/external/host"),
    ({"mysql": {"enabled": False}}, "/mysql/external/host"),
    ({"mysql": {**EXTERNAL["mysql"], "existingSecret": ""}}, "/mysql/existingSecret"),
    ({"mysql": {"image": {"tag": 8.4}}}, "/mysql/image/tag': got number"),
    ({"redis": {"enabled": False}}, "/redis/external/host"),
    ({"redis": {"appendFsync": "sometimes"}}, "/redis/appendFsync"),
    ({"kafka": {"enabled": False}}, "/kafka/external/brokers"),
    ({"kafka": {"external": {"brokers": ["nohost"]}}}, "/kafka/external/brokers/0"),
    ({"global": {"imagePullPolicy": "Sometimes"}}, "/global/imagePullPolicy"),
    ({"gatewayAPI": {"enabled": True}}, "/gatewayAPI/parentRefs"),
    ({"observability": {"tracing": {"ratio": 2}}}, "/observability/tracing/ratio"),
    ({"loadTest": {"script": "../secret"}}, "/loadTest/script"),
]


@pytest.mark.parametrize(("values", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_refused_by_name(refusal, values, named):
    assert named in refusal(values)


@pytest.mark.parametrize("files", [[], ["values-dev.yaml"], ["values-prod.yaml"]], ids=str)
def test_lint(files):
    done = helm("lint", "--strict", CHART, *KUBE, *(part for name in files for part in ("--values", CHART / name)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 chart(s) failed" in done.stdout


def objects(schema, path=""):
    """Every object of the schema with the path to it."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from objects(value, f"{path}/{key}")


def test_no_object_takes_unknown_keys():
    schema = json.loads((CHART / "values.schema.json").read_text())
    # What the API server alone knows from inside, and what helm gives to every subchart.
    theirs = {"nodeAffinity", "podAffinity", "podAntiAffinity", "ipBlock", "namespaceSelector", "podSelector", "global"}
    for path, found in objects(schema):
        if path.rsplit("/", 1)[-1] not in theirs or "properties" in found:
            assert "additionalProperties" in found, path
            assert found["additionalProperties"] is False or "properties" not in found or "propertyNames" in found, path


def test_every_value_is_explained():
    """By a comment right above it, or above the same name in another group: `image` means the same everywhere."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    # Kubernetes' own structures have one comment for the whole.
    whole = {"resources", "behavior", "podSecurityContext", "securityContext"}
    explained, path, keys = set(), [], []
    for above, line in pairwise(["", *lines]):
        if found := re.match(r"( *)([\w-]+):", line):
            path = [*path[: len(found[1]) // 2], found[2]]
            keys.append(".".join(path))
            if above.lstrip().startswith("#"):
                explained.add(path[-1])
            assert len(path) > 1 or path[-1] in explained, path
    bare = [key for key in keys if not {key.rsplit(".")[-1], *(whole & set(key.split(".")[:-1]))} & (explained | whole)]
    assert len(keys) > 400
    assert bare == []
