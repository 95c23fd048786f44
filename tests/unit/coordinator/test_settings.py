"""DTM's environment names, and what ends the process at start."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.coordinator.settings import Settings

MYSQL = {"STORE_DRIVER": "mysql", "STORE_HOST": "db", "STORE_USER": "dtm"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("STORE_DRIVER", "STORE_HOST", "STORE_PORT", "STORE_USER", "HTTP_PORT", "LOG_LEVEL", "RETRY_INTERVAL"):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_defaults_are_those_of_the_original(monkeypatch):
    settings = read(monkeypatch, **MYSQL)
    assert (settings.http_port, settings.grpc_port, settings.store_port, settings.store_db) == (
        36789,
        36790,
        3306,
        "dtm",
    )
    assert (settings.trans_cron_interval, settings.timeout_to_fail, settings.retry_interval) == (3, 35, 10)
    assert settings.request_timeout == 3


def test_the_environment_counts(monkeypatch):
    settings = read(
        monkeypatch, STORE_DRIVER="redis", STORE_HOST="r", LOG_LEVEL="warn", HTTP_PORT="1", STORE_PASSWORD="p"
    )
    assert (settings.store_port, settings.log_level, settings.http_port) == (6379, "warning", 1)
    assert settings.store_password.get_secret_value() == "p"
    assert "p" not in repr(settings.store_password)


@pytest.mark.parametrize(
    "change",
    [
        {"STORE_DRIVER": "boltdb"},
        {"STORE_HOST": ""},
        {"STORE_USER": ""},
        {"HTTP_PORT": "tcp://10.0.0.1:80"},
        {"RETRY_INTERVAL": "60"},
        {"RETRY_INTERVAL": "1"},
    ],
)
def test_what_is_wrong_is_named(monkeypatch, change):
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, **{**MYSQL, **change})
    assert next(iter(change)) in str(error.value)
