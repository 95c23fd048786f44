"""What the processes of a stack cost: CPU seconds and memory from /proc, store work from the stores' own counters."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import redis

from dev.bench.k6 import NAME as K6
from dev.layout import STORES
from dev.stack import PROCESSES, Stack

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 1.0


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """CPU seconds by process since its start, of those that run."""
    found = {}
    for name in PROCESSES:
        if pid := stack.processes.pid(name):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def machine_seconds() -> float:
    """CPU seconds that the whole machine has worked since its start."""
    fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, _ = fields
    return (user + nice + system + irq + softirq) / _TICKS


def memory_mb(stack: Stack) -> dict[str, float]:
    """Resident memory by process."""
    found = {}
    for name in PROCESSES:
        pid = stack.processes.pid(name)
        status = Path(f"/proc/{pid}/status")
        for line in status.read_text().splitlines() if pid else ():
            if line.startswith("VmRSS:"):
                found[name] = int(line.split()[1]) / 1024
    return found


def store_work(stack: Stack) -> dict[str, int]:
    """Statements that MySQL and commands that Redis have run since their start."""
    account, shared = stack.mysql("reader"), stack.redis()
    with (
        closing(
            pymysql.connect(host=account.host, port=account.port, user=account.user, password=account.password)
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_commit')")
        status = {name: int(value) for name, value in cursor.fetchall()}
    client: Any = redis.Redis(host=shared.host, port=shared.port, password=shared.password)
    with closing(client):
        commands = int(client.info("stats")["total_commands_processed"])
        scripts = sum(
            stats["calls"] for name, stats in client.info("commandstats").items() if name.startswith("cmdstat_eval")
        )
    return {
        "mysql statements": status["Questions"],
        "mysql commits": status["Com_commit"],
        "redis commands": commands,
        "redis scripts": scripts,
    }


class Memory:
    """Samples memory once a second while it is entered. `samples` are MB by process, in order of time."""

    def __init__(self, stack: Stack) -> None:
        self.samples: list[dict[str, float]] = []
        self._stack = stack
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def peak(self) -> dict[str, float]:
        names = {name for sample in self.samples for name in sample}
        return {name: max(sample.get(name, 0) for sample in self.samples) for name in names}

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            try:
                self.samples.append(memory_mb(self._stack))
            except OSError:  # a process ended between two looks
                time.sleep(0)


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was added; a process that started in between counts from nothing."""
    return {name: value - (before.get(name, 0) if value >= before.get(name, 0) else 0) for name, value in after.items()}


def without_stores(values: Mapping[str, float]) -> dict[str, float]:
    """Of services and coordinators alone."""
    return {name: value for name, value in values.items() if name not in STORES}


def groups(cpu: Mapping[str, float]) -> dict[str, float]:
    """CPU of the shop's own processes, of the stores, and of the load generator."""
    return {
        "shop": sum(value for name, value in without_stores(cpu).items() if name != K6),
        "stores": sum(cpu.get(name, 0) for name in STORES),
        "k6": cpu.get(K6, 0),
    }
