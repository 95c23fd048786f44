"""Every object, as the API server of a real cluster sees it: KUBECONFIG names the cluster; nothing is kept.

The namespace enforces the restricted Pod Security Standard, and a warning counts as a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid

import pytest

from tests.chart.rendering import EVERYTHING, EXTERNAL

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None, reason="KUBECONFIG names no cluster"
)


def kubectl(*arguments, stdin=None):
    return subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def namespace():
    name = f"dry-run-{uuid.uuid4().hex[:6]}"
    assert kubectl("create", "namespace", name).returncode == 0
    standard = "pod-security.kubernetes.io"
    kubectl("label", "namespace", name, f"{standard}/enforce=restricted", f"{standard}/warn=restricted")
    kubectl("-n", name, "create", "serviceaccount", "eshop")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


CASES = {
    "default": {},
    "everything": {
        # But what needs CRDs.
        **{key: value for key, value in EVERYTHING.items() if key != "gatewayAPI"},
        "gatewayService": {"type": "NodePort"},
        "dtm": {"engine": "embedded"},
        "networkPolicy": {"gatewayFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    },
    "external": {**EXTERNAL, "networkPolicy": {"externalCIDRs": ["10.0.0.0/8"]}},
}


@pytest.mark.parametrize("case", CASES)
def test_the_api_server_takes_every_object(render, namespace, case):
    objects = render(CASES[case], namespace=namespace)
    # Unknown and doubled fields are errors.
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=items)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(objects)
    warnings = [line for line in done.stderr.splitlines() if "missing the kubectl.kubernetes.io" not in line]
    assert not warnings
