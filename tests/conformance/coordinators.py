"""Coordinators under test: processes over stores of their own, the embedded one or the original."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

ROOT = Path(__file__).parents[2]
TABLES = ("trans_global", "trans_branch_op", "kv")


@dataclass(frozen=True)
class StoreSpace:
    """A part of the stack's MySQL or Redis that belongs to one test: what a coordinator needs to reach it."""

    driver: str
    environment: dict[str, str]


def create_mysql_space(stack) -> StoreSpace:
    """A database with DTM's tables, as the migrations make them."""
    account, name = stack.mysql("admin"), f"conformance_{secrets.token_hex(4)}"
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        for table in TABLES:
            cursor.execute(f"CREATE TABLE {name}.{table} LIKE dtm.{table}")
    return StoreSpace(
        "mysql",
        {
            "STORE_DRIVER": "mysql",
            "STORE_HOST": account.host,
            "STORE_PORT": str(account.port),
            "STORE_USER": account.user,
            "STORE_PASSWORD": account.password,
            "STORE_DB": name,
        },
    )


def drop_mysql_space(stack, space: StoreSpace) -> None:
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {space.environment['STORE_DB']}")


def create_redis_space(stack) -> StoreSpace:
    """A key prefix of its own; the keys end by themselves."""
    account = stack.redis()
    return StoreSpace(
        "redis",
        {
            "STORE_DRIVER": "redis",
            "STORE_HOST": account.host,
            "STORE_PORT": str(account.port),
            "STORE_PASSWORD": account.password,
            "STORE_REDIS_PREFIX": f"{{conformance-{secrets.token_hex(4)}}}",
            "STORE_DATA_EXPIRE": "3600",
            "STORE_FINISHED_DATA_EXPIRE": "600",
        },
    )


def admin_connection(stack) -> pymysql.Connection:
    account = stack.mysql("admin")
    return pymysql.connect(
        host=account.host, port=account.port, user=account.user, password=account.password, autocommit=True
    )


@dataclass
class Coordinator:
    """One process. `binary` is the original DTM's; without it the embedded coordinator runs."""

    space: StoreSpace
    folder: Path
    binary: str = ""
    http: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    grpc: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            **self.space.environment,
            "TRANS_CRON_INTERVAL": "1",
            "UPDATE_BRANCH_SYNC": "1",
            "LOG_LEVEL": "warn",
            "STORE_MAX_OPEN_CONNS": "16",
            "STORE_MAX_IDLE_CONNS": "16",
            "HTTP_PORT": self.http.rpartition(":")[2],
            "GRPC_PORT": self.grpc.rpartition(":")[2],
        }
        command = [self.binary] if self.binary else [sys.executable, "-m", "services.coordinator"]
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder if self.binary else ROOT, env=environment, stdout=log, stderr=log
            )

    async def wait_ready(self) -> None:
        await asyncio.to_thread(self._wait_ready)

    def _wait_ready(self) -> None:
        path = "/api/ping" if self.binary else "/readyz"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"http://{self.http}{path}", timeout=2):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{self.http} is not ready: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
