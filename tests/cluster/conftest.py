"""One install of the shop for all tests of this folder, which run in the order of their files' names.

KUBECONFIG names the cluster: any will do that can pull, or has, the images of images/build.sh with the tag `test`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cluster.release import Release, make_namespace, run

NAMESPACE = "eshop-test"
# Leaves the shop running at the end, and takes a running one at the start: for work on these tests.
KEEP = bool(os.environ.get("ESHOP_KEEP"))


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    missing = [program for program in ("helm", "kubectl") if shutil.which(program) is None]
    reason = f"{missing[0]} is not on the PATH" if missing else "KUBECONFIG names no cluster"
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.timeout(1200))
            if missing or not os.environ.get("KUBECONFIG"):
                item.add_marker(pytest.mark.skip(reason=reason))


def remove_namespace(name: str) -> None:
    run("kubectl", "delete", "namespace", name, "--ignore-not-found", "--timeout=180s")


@pytest.fixture(scope="session")
def namespace():
    if not KEEP:
        remove_namespace(NAMESPACE)
    make_namespace(NAMESPACE)
    yield NAMESPACE
    if not KEEP:
        remove_namespace(NAMESPACE)


@pytest.fixture(scope="session")
def shop(namespace):
    """A release installed from nothing."""
    release = Release("eshop", namespace)
    if not (KEEP and release.installed()):
        release.install()
    return release
