"""No value is dead: each one, changed by itself, changes what is rendered."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import yaml

from tests.chart.rendering import CHART, CRDS, EVERYTHING, EXTERNAL, merge, template

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Other values than the defaults, by name, where any other text, number or list would be refused.
OTHER = {
    "imagePullPolicy": "Always",
    "engine": "embedded",
    "logLevel": "error",
    "logFormat": "text",
    "appendFsync": "always",
    "selectPolicy": "Min",
    "whenUnsatisfiable": "DoNotSchedule",
    "digest": "sha256:" + "1" * 64,
    "clusterId": "B" * 22,
    "bufferPoolSize": "7M",
    "maxMemory": "7mb",
    "heap": "7m",
    "size": "7Gi",
    "storage": "7Gi",
    "interval": "7s",
    "retention": "7d",
    "path": "/z",
    "script": "list.js",
    "schedule": "1 1 1 1 1",
    "endpoint": "o:1",
    "minReplicas": 2,
    "flushLogAtCommit": 2,
    "nodePort": 30001,
    "ratio": 0.5,
    "needs": ["redis", "order"],
    "calls": ["user"],
    "brokers": ["x:1"],
    "externalCIDRs": ["10.0.0.0/8"],
    "parentRefs": [{"name": "z"}],
    "tolerations": [{"key": "z"}],
    "policies": [{"type": "Pods", "value": 9, "periodSeconds": 9}],
    "env": {"Z": "z"},
    "affinity": {"nodeAffinity": {}},
}
OTHER |= {name: [{"podSelector": {}}] for name in ("gatewayFrom", "metricsFrom", "coordinatorsFrom")}
# Kubernetes' own structures go into a pod as they are; the schema holds some of them fast.
WHOLE = {"resources", "podSecurityContext", "securityContext"}
# What has a meaning only beside other values.
BASES = {
    **dict.fromkeys(("external", "adminUser", "coordinatorsFrom", "externalCIDRs"), merge(EVERYTHING, EXTERNAL)),
    "embedded": merge(EVERYTHING, {"dtm": {"engine": "embedded"}}),
}


def leaves(value, path=()):
    if isinstance(value, dict) and value and path[-1:] != ("affinity",) and not WHOLE & set(path):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def other(name, value):
    """Another value of the same kind."""
    if name in OTHER:
        return OTHER[name]
    if name == "type":
        return "NodePort"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 7
    return ["z"] if isinstance(value, list) else {"z": "z"} if isinstance(value, dict) else "zz"


def nested(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


def test_every_value_changes_something(tmp_path):
    def text(values, folder):
        folder = tmp_path / folder
        folder.mkdir()
        done = template(folder, values, options=CRDS)
        assert done.returncode == 0, done.stderr
        return re.sub(r"(password: ).*", r"\1…", done.stdout)  # new ones each time

    # Parts that both switch on are seen to by test_templates.py.
    paths = [(path, value) for path, value in leaves(VALUES) if path[-1] != "enabled" and not WHOLE & set(path)]
    assert len(paths) > 200
    bases = [EVERYTHING, *BASES.values()]
    before = {id(values): text(values, f"before-{number}") for number, values in enumerate(bases)}

    def dead(numbered):
        number, (path, value) = numbered
        values = next((BASES[name] for name in path if name in BASES), EVERYTHING)
        changed = merge(values, nested(path, other(path[-1], value)))
        return text(changed, f"after-{number}") == before[id(values)]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(dead, enumerate(paths)))
    assert [".".join(path) for (path, _), is_dead in zip(paths, found, strict=True) if is_dead] == []
