"""values.schema.json: a wrong value is refused with a message that names it."""

from __future__ import annotations

import json

import pytest
import yaml

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


def test_no_object_of_ours_takes_unknown_keys():
    schema = json.loads((CHART / "values.schema.json").read_text())
    theirs = {"podSecurityContext", "securityContext"}  # Kubernetes' own structures
    for path, found in objects(schema):
        if "properties" in found and path.rsplit("/", 1)[-1] not in theirs and not path.endswith("/items"):
            assert found.get("additionalProperties") is False, path


def test_every_value_has_a_comment_or_a_commented_parent():
    """Each top-level key and each key under it is explained in values.yaml, by a line above it or above its group."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    values = yaml.safe_load("\n".join(lines))
    repeated = {"image", "resources", "persistence", "podSecurityContext", "securityContext", "nodeSelector"}
    for number, line in enumerate(lines):
        key = line.split(":")[0]
        if key in values and not line.startswith(" ") and key not in repeated:
            explained = lines[number - 1].startswith("#") or lines[number + 1].lstrip().startswith("#")
            assert explained, f"{key} has no comment"
