"""What a log line says, what it does not, and a level that changes while the process runs."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
import structlog

from dev.layout import ROOT
from services.common.telemetry import logs


@pytest.fixture
def lines(capfdbinary):
    """The lines logged so far, parsed."""
    kept = logging.getLogger().handlers[:], structlog.get_config()

    def read():
        return [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]

    yield read
    logging.getLogger().handlers[:] = kept[0]
    structlog.configure(**kept[1])


def configure(monkeypatch, level="info"):
    monkeypatch.setattr(sys, "stdout", open(1, "w", closefd=False))  # noqa: SIM115 - the captured descriptor
    logs.configure("order", level, "json")


def test_a_line_names_the_service_and_what_it_works_for(lines, monkeypatch):
    configure(monkeypatch)
    order, gid = logs.order_id.set("01J"), logs.gid.set("order-7")
    structlog.get_logger().info("placed", units=2)
    logs.order_id.reset(order)
    logs.gid.reset(gid)
    structlog.get_logger().info("idle")
    placed, idle = lines()
    assert placed | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "service": "order",
        "event": "placed",
        "order_id": "01J",
        "gid": "order-7",
        "units": 2,
    }
    assert not {"order_id", "gid", "trace_id"} & idle.keys()


def test_warnings_of_libraries_come_in_the_same_form(lines, monkeypatch):
    configure(monkeypatch)
    logging.getLogger("aiokafka").warning("broker %s is away", 1)
    logging.getLogger("aiokafka").info("not this")
    [line] = lines()
    assert (line["level"], line["event"], line["logger"]) == ("warning", "broker 1 is away", "aiokafka")


def test_the_level_changes_at_once(lines, monkeypatch):
    configure(monkeypatch, "warning")
    log = structlog.get_logger()
    log.info("unheard")
    logs.set_level("debug")
    log.debug("heard")
    logs.set_level("warning")
    log.info("unheard")
    assert [line["event"] for line in lines()] == ["heard"]


PROCESS = """
import asyncio, structlog
from services.common.runtime import Runtime, run
from services.common.settings import ProcessSettings

async def tick(stopping):
    while not stopping.is_set():
        structlog.get_logger().debug("tick")
        await asyncio.sleep(0.05)

async def wire(runtime):
    runtime.loop("tick", tick)

run("order", ProcessSettings(http_host="127.0.0.1", http_port=0, log_level="info"), wire)
"""


def test_signals_change_the_level_of_a_running_process():
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-c", PROCESS], stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    try:
        events = (json.loads(line)["event"] for line in process.stdout)
        assert next(event for event in events if event == "started")
        process.send_signal(signal.SIGUSR1)
        assert next(event for event in events if event == "tick")
        process.send_signal(signal.SIGUSR2)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert list(events)[-1] == "stopped"
    finally:
        process.kill()
