"""Settings: from the environment or from secret files; what is wrong is named."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from services.common import settings as module


@pytest.fixture
def reloaded(monkeypatch, tmp_path):
    """The module as a process sees it that starts with this folder of secrets."""
    monkeypatch.setenv("ESHOP_SECRETS_DIR", str(tmp_path))
    yield importlib.reload(module)
    monkeypatch.undo()
    importlib.reload(module)


def test_from_the_environment(monkeypatch):
    monkeypatch.setenv("ESHOP_MYSQL_USER", "somebody")
    monkeypatch.setenv("ESHOP_MYSQL_PORT", "3307")
    settings = module.MysqlSettings()
    assert (settings.mysql_user, settings.mysql_port, settings.http_server) == ("somebody", 3307, "hypercorn")


def test_secrets_from_files(reloaded, monkeypatch, tmp_path):
    (tmp_path / "mysql_password").write_text("from a file\n")
    monkeypatch.setenv("ESHOP_MYSQL_USER", "somebody")
    assert reloaded.MysqlSettings().mysql_password.get_secret_value() == "from a file"
    monkeypatch.setenv("ESHOP_MYSQL_PASSWORD", "from the environment")
    assert reloaded.MysqlSettings().mysql_password.get_secret_value() == "from the environment"


def test_a_secret_is_never_shown(monkeypatch):
    monkeypatch.setenv("ESHOP_MYSQL_PASSWORD", "hunter2")
    settings = module.MysqlSettings(mysql_user="somebody")
    assert "hunter2" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "ESHOP_MYSQL_USER: "),
        ({"ESHOP_MYSQL_USER": "x", "ESHOP_HTTP_PORT": "hunter2"}, "ESHOP_HTTP_PORT: "),
        ({"ESHOP_MYSQL_USER": "x", "ESHOP_HTTP_SERVER": "hunter2"}, "ESHOP_HTTP_SERVER: "),
        ({"ESHOP_MYSQL_USER": "x", "ESHOP_TRACE_RATIO": "2"}, "ESHOP_TRACE_RATIO: "),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(monkeypatch, environment, named):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        module.load(module.MysqlSettings)
    assert caught.value.code.startswith(f"settings: {named}")
    assert "hunter2" not in caught.value.code


def test_a_process_that_is_told_nonsense_ends_in_one_line():
    run = subprocess.run(
        [sys.executable, "-m", "services.stock"],
        env={"PATH": "/usr/bin:/bin", "ESHOP_MYSQL_USER": "x", "ESHOP_MYSQL_PORT": "hunter2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    [line] = run.stderr.splitlines()
    assert "ESHOP_MYSQL_PORT: " in line
    assert "hunter2" not in line
