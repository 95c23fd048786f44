"""Processes of the stack: started in sessions of their own, recorded, found again by a later command, stopped.

A record holds the pid with the process's start time and the machine's boot, so that a number that the kernel has given
to somebody else is never signalled.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev import ports
from dev.errors import StackError
from dev.passwords import write_private

OPEN_FILES = 65536
LONGEST_LOG = 64 << 20
STATE, START_TIME = 0, 19  # fields of /proc/<pid>/stat behind the name


@dataclass(frozen=True)
class Program:
    """What to run: `environment` comes on top of this process's own; `ports` must be free; `grace` in seconds."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    folder: Path | None = None
    grace: float = 20


class Processes:
    """The recorded processes of one stack."""

    def __init__(self, records: Path, logs: Path) -> None:
        self._records = records
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def pid(self, name: str) -> int | None:
        """Of the running process of that name; None when it does not run."""
        record = self._running(name)
        return record["pid"] if record else None

    def names(self) -> list[str]:
        """Of all records, of processes that run or ran."""
        return sorted(path.stem for path in self._records.glob("*.json"))

    def start(self, program: Program) -> bool:
        """Starts the program and records it; False when it runs already."""
        running = self._running(program.name)
        if running:
            if running.get("ports", list(program.ports)) != list(program.ports):
                raise StackError(
                    f"{program.name} runs on {running['ports']}, not on {list(program.ports)}: "
                    "set ESHOP_PORT_OFFSET as it was, or 'make down' first"
                )
            return False
        ports.require_free(program.name, program.ports)
        log = self._logs / f"{program.name}.log"
        if log.exists() and log.stat().st_size > LONGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment},
                cwd=program.folder,
                start_new_session=True,
            )
        self._children[program.name] = child
        record = {"pid": child.pid, "identity": identity(child.pid), "ports": program.ports}
        write_private(self._record(program.name), json.dumps(record))
        return True

    def stop(self, names: Iterable[str], grace: float) -> list[str]:
        """SIGTERM to all, then SIGKILL to those that still run after `grace` seconds, whose names it returns."""
        running = {name: pid for name in names if (pid := self.pid(name))}
        for pid in running.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        killed = []
        for name in running:
            if not self._wait_gone(name, deadline - time.monotonic()):
                killed.append(name)
                self.kill(name)
            self._record(name).unlink(missing_ok=True)
        return killed

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash would end it; returns when the process is gone."""
        pid = self.pid(name)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not self._wait_gone(name, 10):
            raise StackError(f"{name} (pid {pid}) did not end within 10 s of SIGKILL: the kernel holds it; see dmesg")

    def last_words(self, name: str, lines: int = 1) -> str:
        """The end of the process's log."""
        try:
            with (self._logs / f"{name}.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _wait_gone(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid(name):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _running(self, name: str) -> dict[str, Any] | None:
        """The record of the process, if it runs."""
        if name in self._children:
            self._children[name].poll()  # a child that ended is a zombie until its parent asks
        try:
            record: dict[str, Any] = json.loads(self._record(name).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return record if identity(record["pid"]) == record["identity"] else None

    def _record(self, name: str) -> Path:
        return self._records / f"{name}.json"


def identity(pid: int) -> str | None:
    """Boot and start time of a living process: with its pid, what no other process has. None for the dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[STATE] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[START_TIME]}"


def raise_open_files() -> None:
    """Raises the open-file limit that children inherit: thousands of buyers are thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in ((OPEN_FILES, max(hard, OPEN_FILES)), (min(OPEN_FILES, hard), hard)):
        if soft >= wanted[0]:
            return
        with suppress(ValueError, OSError):  # only root may raise the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
            return
