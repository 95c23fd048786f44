"""What the jobs say when their settings are wrong: the variable's name, and never the value of another."""

import os
import subprocess
import sys

import pytest

from dev.layout import ROOT

SECRET = "nobody-may-read-this"


def run(module, **environment):
    given = {name: value for name, value in os.environ.items() if not name.startswith("ESHOP_")}
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**given, "ESHOP_MYSQL_HOST": "127.0.0.1", "ESHOP_MYSQL_PASSWORD": SECRET, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["db.migrate", "db.accounts", "dev.invariants"])
def test_a_missing_setting_is_named_and_no_password_is_shown(module):
    job = run(module)
    assert job.returncode == 1
    assert job.stderr.startswith("settings: ")
    assert "ESHOP_MYSQL_USER: Field required" in job.stderr
    assert SECRET not in job.stdout + job.stderr


def test_a_short_password_is_refused_without_showing_it():
    job = run("db.accounts", ESHOP_MYSQL_USER="root", ESHOP_ORDER_MYSQL_PASSWORD="tiny-pw")
    assert "ESHOP_ORDER_MYSQL_PASSWORD: Value should have at least 8 items" in job.stderr
    assert "tiny-pw" not in job.stderr
