"""The demo, on a shop that has a past: every row is as expected, and every promise holds."""

from __future__ import annotations

import os
import subprocess
import sys

from dev.layout import ROOT


def test_the_shops_day(stack):
    environment = {
        **os.environ,
        "ESHOP_STACK_DIR": str(stack.layout.folder),
        "ESHOP_PORT_OFFSET": str(stack.layout.offset),
    }
    demo = subprocess.run(
        [sys.executable, "-m", "dev.demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The shop's day" in demo.stdout
    assert "The invariants" in demo.stdout
    assert "differs" not in demo.stdout
    assert stack.url("gateway") in demo.stdout
