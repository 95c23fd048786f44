"""What git holds: sources alone. Generated code is made from the protos by `make protos` and at image build."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from dev.layout import ROOT

GENERATED = re.compile(r"(_pb2(_grpc)?\.pyi?|\.binpb|\.pyc)$")


@pytest.fixture(scope="module")
def tracked():
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("no git checkout")
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_no_generated_code(tracked):
    assert [path for path in tracked if GENERATED.search(path) or path.startswith("services/common/pb/")] == []


def test_generated_code_is_ignored(tracked):
    ignored = subprocess.run(
        ["git", "check-ignore", "services/common/pb/eshop/order/v1/order_pb2.py", ".stack/secrets/redis", ".venv/x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 3


def test_no_secrets(tracked):
    private = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
    for path in tracked:
        if (ROOT / path).suffix in (".py", ".yaml", ".yml", ".json", ".md", ".tpl", ".txt", ".js", ".sh", ".toml"):
            assert not private.search((ROOT / path).read_text()), path


def test_tests_are_named_as_what_they_test(tracked):
    """A unit test lies at the same path as its module's package."""
    folders = {path.split("/")[2] for path in tracked if path.startswith("tests/unit/") and path.count("/") > 2}
    packages = {path.split("/")[1] for path in tracked if path.startswith("services/") and path.count("/") > 1}
    assert folders <= packages | {"dev", "db", "protos"}
