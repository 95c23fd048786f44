"""Stack: the whole shop on one machine, for people (`python -m dev`) and for tests.

    stack = Stack()                      # folder and ports from ESHOP_STACK_DIR and ESHOP_PORT_OFFSET, or by arguments
    stack.up()                           # stores, schemas, accounts, topics, coordinators, services; waits for all
    stack.kill("order"); stack.start("order"); stack.wait_ready("order")
    stack.mysql("reader"), stack.redis(), stack.brokers, stack.url("gateway"), stack.address("order", "grpc")
    stack.down()

Every call is safe to repeat. A StackError says in one line what to do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dev import ports, programs
from dev.connections import Connections
from dev.errors import StackError
from dev.layout import COORDINATORS, MONITORS, PORTS, ROOT, SERVICES, STORES
from dev.processes import Processes, Program, raise_open_files
from dev.provision import Report
from dev.stores import Store, stores

FREE_BYTES = 2 << 30
PROCESSES = (*STORES, *COORDINATORS, *SERVICES)


class Stack(Connections):
    """One stack: a folder, an offset of ports, and the processes recorded in the folder."""

    def __init__(
        self, folder: Path | None = None, offset: int | None = None, report: Report = lambda step: None
    ) -> None:
        super().__init__(folder, offset)
        self.processes = Processes(self.layout.folder / "run", self.layout.folder / "logs")
        self._stores: dict[str, Store] = {store.name: store for store in stores(self.layout, self.passwords)}
        self._report = report

    def up(self, *, stores_only: bool = False) -> None:
        """Starts what does not run yet and returns when everything is ready."""
        with self._alone():
            self._require_space()
            ports.reserve(port for name in PROCESSES for port in self.layout.ports(name))
            wanted = STORES if stores_only else PROCESSES
            for name in wanted:  # all of them before anything starts
                if not self.processes.pid(name):
                    ports.require_free(name, self.layout.ports(name))
            raise_open_files()
            self.start(*STORES)
            self._report("waiting for MySQL, Redis and Kafka")
            self.wait_ready(*STORES)
            self.prepare_stores()
            if not stores_only:
                self.start(*COORDINATORS, *SERVICES)
                self._report("waiting for two coordinators and eight services")
                self.wait_ready(*COORDINATORS, *SERVICES)

    def down(self) -> None:
        """Stops everything in order: the gateway, services, coordinators, stores."""
        with self._alone():
            for group in (MONITORS, ("gateway",), SERVICES, COORDINATORS, STORES):
                running = [name for name in group if self.processes.pid(name)]
                if running:
                    self._report(f"stopping {', '.join(running)}")
                    self.stop(*running)

    def start(self, *names: str) -> None:
        """Starts processes that do not run; does not wait until they are ready."""
        _known(names)
        with ThreadPoolExecutor() as pool:  # provisioning and first-time preparation take long, and only once
            commands = list(pool.map(self._program, names))
        for program in commands:
            self.processes.start(program)

    def stop(self, *names: str, grace: float = 60) -> None:
        """Stops processes as a deployment would: SIGTERM, and SIGKILL after `grace` seconds."""
        _known(names)
        for name in self.processes.stop(names, grace):
            self._report(f"{name} did not stop within {grace:.0f} s and was killed")

    def kill(self, *names: str) -> None:
        """SIGKILL: the crash that tests want."""
        _known(names)
        for name in names:
            self.processes.kill(name)

    def restart(self, *names: str) -> None:
        self.stop(*names)
        self.start(*names)

    def wait_ready(self, *names: str, timeout: float = 180) -> None:
        """Returns when the named processes, or all, are ready; raises StackError when one ends or time is over."""
        _known(names)
        deadline = time.monotonic() + timeout
        for name in names or PROCESSES:
            while reason := self._unready(name):
                if self.processes.pid(name) is None:
                    raise StackError(
                        f"{name} is not running: {self.processes.last_words(name)} ({self.layout.log(name)})"
                    )
                if time.monotonic() > deadline:
                    raise StackError(f"{name} is not ready after {timeout:.0f} s: {reason} ({self.layout.log(name)})")
                time.sleep(0.1)

    def ready(self, name: str) -> bool:
        """Whether the process runs and serves."""
        return self.processes.pid(name) is not None and not self._unready(name)

    def prepare_stores(self) -> None:
        """Schemas, accounts and topics; each job does nothing where nothing is missing."""
        self._report("schemas, accounts and topics")
        jobs = {
            ("db.migrate", "db.accounts"): programs.mysql_jobs_environment(self),
            ("services.common.topics",): {"ESHOP_KAFKA_BROKERS": self.brokers},
        }
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda job: self._run(*job), jobs.items()))

    def _program(self, name: str) -> Program:
        if name in self._stores:
            return self._stores[name].prepare(self._report)
        return programs.program(self, name)

    def _unready(self, name: str) -> str:
        """Why the process does not serve; empty when it does."""
        try:
            if name in self._stores:
                self._stores[name].check()
            else:
                path = programs.ready_path(name)
                with urllib.request.urlopen(f"{self.url(name)}{path}", timeout=2):  # noqa: S310 - our own loopback
                    pass
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")[:500]
        except Exception as error:
            return repr(error)
        return ""

    def _run(self, modules: Sequence[str], environment: dict[str, str]) -> None:
        for module in modules:
            command = [sys.executable, "-m", module]
            run = subprocess.run(
                command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
            )
            if run.returncode:
                raise StackError(
                    f"'python -m {module}' failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}"
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One `up` or `down` of a stack at a time; errors of the disk become messages."""
        folder = self.layout.folder
        try:
            self.layout.create()
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StackError(f"the disk of {folder} is full: free some, or set ESHOP_STACK_DIR") from error
            if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR):
                raise StackError(
                    f"{error.filename} cannot be written: set ESHOP_STACK_DIR to a folder that can"
                ) from error
            raise

    def _require_space(self) -> None:
        """Before anything starts; who stops the stack of a full disk may be about to free it."""
        free = shutil.disk_usage(self.layout.folder).free
        if free < FREE_BYTES:
            raise StackError(
                f"{self.layout.folder} has {free >> 20} MB left and the stack wants {FREE_BYTES >> 20}: "
                "free some, or set ESHOP_STACK_DIR"
            )


def _known(names: Iterable[str]) -> None:
    for name in names:
        if name not in PORTS:
            raise StackError(f"there is no process {name!r}: it is one of {', '.join(PROCESSES)}")
