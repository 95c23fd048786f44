"""The real MySQL, Redis and Kafka of one stack: prepared, configured, asked whether they serve; on 127.0.0.1 alone."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pymysql
import redis
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from dev import provision
from dev.errors import StackError
from dev.layout import HOST, Layout
from dev.passwords import Passwords, write_private
from dev.processes import Program
from dev.provision import Report
from dev.store_configuration import KAFKA, KAFKA_LOGGING, MYSQL, REDIS


class Store(Protocol):
    """One real store."""

    name: str

    def prepare(self, report: Report) -> Program:
        """Provides the program, its configuration and, at the first time, its data folder."""
        ...

    def check(self) -> None:
        """Raises while the store does not serve."""
        ...


@dataclass
class Mysql:
    layout: Layout
    passwords: Passwords
    name: str = "mysql"

    def prepare(self, report: Report) -> Program:
        found = provision.mysql(report)
        data, configuration = self.layout.data(self.name), self.layout.data("mysql.cnf")
        root = "user=root" if os.geteuid() == 0 else ""  # mysqld asks root to say that it means it
        old = "innodb-log-file-size=256M" if found.version < "8.0.30" else ""
        port = self.layout.port(self.name, "sql")
        basedir = found.mysqld.resolve().parent.parent
        text = MYSQL.format(basedir=basedir, data=data, port=port, more=f"{root}\n{old}")
        configuration.write_text(text)
        command = (str(found.mysqld), f"--defaults-file={configuration}")
        if not (self.passwords.folder / "mysql_root").exists() and data.exists():
            raise StackError(
                f"the password of the data in {data} is lost: restore {self.passwords.folder}, or 'make clean'"
            )
        if not (data / "eshop-ready").exists():
            report("creating MySQL's data folder")
            self._initialise(command, found.environment, data)
        return Program(self.name, command, found.environment, self.layout.ports(self.name), grace=60)

    def _initialise(self, command: tuple[str, ...], environment: dict[str, str], data: Path) -> None:
        """Root gets its password before the server ever listens; a half-made folder is made anew."""
        shutil.rmtree(data, ignore_errors=True)
        password = self.passwords.get("mysql_root")
        accounts = self.passwords.folder / "mysql-init.sql"
        write_private(
            accounts,
            f"ALTER USER 'root'@'localhost' IDENTIFIED WITH caching_sha2_password BY '{password}';\n"
            f"CREATE USER 'root'@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY '{password}';\n"
            "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n",
        )
        arguments = [*command, "--initialize-insecure", f"--init-file={accounts}"]
        run = subprocess.run(arguments, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        accounts.unlink()
        if run.returncode:
            raise StackError(f"mysqld cannot create {data}: {first_error(run.stderr)}")
        (data / "eshop-ready").touch()

    def check(self) -> None:
        connection = pymysql.connect(
            host=HOST,
            port=self.layout.port(self.name, "sql"),
            user="root",
            password=self.passwords.get("mysql_root"),
            connect_timeout=2,
        )
        connection.close()


@dataclass
class Redis:
    layout: Layout
    passwords: Passwords
    name: str = "redis"

    def prepare(self, report: Report) -> Program:
        server = provision.redis(report)
        data, configuration = self.layout.data(self.name), self.passwords.folder / "redis.conf"
        data.mkdir(parents=True, exist_ok=True)
        port = self.layout.port(self.name, "resp")
        password = self.passwords.get("redis")
        write_private(configuration, REDIS.format(port=port, data=data, password=password))
        return Program(self.name, (str(server), str(configuration)), {}, self.layout.ports(self.name))

    def check(self) -> None:
        port, password = self.layout.port(self.name, "resp"), self.passwords.get("redis")
        with closing(redis.Redis(HOST, port, password=password, socket_timeout=2)) as client:
            client.ping()


@dataclass
class Kafka:
    layout: Layout
    passwords: Passwords
    name: str = "kafka"

    def prepare(self, report: Report) -> Program:
        java, libraries = str(provision.java()), provision.kafka(report)
        data, configuration = self.layout.data(self.name), self.layout.data("kafka.properties")
        broker, controller = (self.layout.port(self.name, kind) for kind in ("broker", "controller"))
        configuration.write_text(KAFKA.format(broker=broker, controller=controller, data=data))
        logging = self.layout.data("kafka-log4j2.properties")
        logging.write_text(KAFKA_LOGGING)
        virtual_machine = (java, "-cp", f"{libraries}/*", f"-Dlog4j2.configurationFile={logging}")
        if not (data / "meta.properties").exists():
            report("formatting Kafka's log folder")
            self._format(virtual_machine, configuration, data)
        memory = ("-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")
        command = (*virtual_machine, *memory, "kafka.Kafka", str(configuration))
        return Program(self.name, command, {}, self.layout.ports(self.name), grace=60)

    def _format(self, virtual_machine: tuple[str, ...], configuration: Path, data: Path) -> None:
        shutil.rmtree(data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(configuration))
        run = subprocess.run([*virtual_machine, *tool], capture_output=True, text=True, check=False)
        if run.returncode:
            raise StackError(f"Kafka cannot format {data}: {first_error(run.stdout + run.stderr)}")

    def check(self) -> None:
        address = self.layout.address(self.name, "broker")
        with closing(KafkaAdminClient(bootstrap_servers=address, request_timeout_ms=2000)) as admin:
            if not admin.describe_cluster()["brokers"]:
                raise KafkaError("no broker has registered")


def stores(layout: Layout, passwords: Passwords) -> tuple[Store, ...]:
    """Slowest to start first."""
    return Kafka(layout, passwords), Mysql(layout, passwords), Redis(layout, passwords)


def first_error(output: str) -> str:
    """The line that tells most."""
    lines = [line for line in output.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
