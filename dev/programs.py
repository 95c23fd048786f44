"""The coordinators and services of one stack: their commands, environments and secrets."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from db.accounts import ACCOUNTS
from dev.connections import Connections
from dev.layout import COORDINATORS, HOST, ROOT, SERVICES
from dev.processes import Program


def mysql_jobs_environment(stack: Connections) -> dict[str, str]:
    """For db.migrate and db.accounts: the administrator and the passwords of all accounts."""
    files = {f"{name}_mysql_password": stack.passwords.get(f"mysql_{name}") for name in ACCOUNTS}
    admin = stack.mysql("admin")
    folder = stack.passwords.handed_to("jobs", {"mysql_password": admin.password, **files})
    return {
        "ESHOP_MYSQL_HOST": admin.host,
        "ESHOP_MYSQL_PORT": str(admin.port),
        "ESHOP_MYSQL_USER": admin.user,
        "ESHOP_SECRETS_DIR": str(folder),
    }


def program(stack: Connections, name: str) -> Program:
    """What starts a coordinator or a service."""
    return _coordinator(stack, name) if name in COORDINATORS else _service(stack, name)


def ready_path(name: str) -> str:
    """Where HTTP tells readiness; DTM's own binary has a ping only."""
    return "/api/ping" if name in COORDINATORS and _dtm_binary() else "/readyz"


def _service(stack: Connections, name: str) -> Program:
    layout, secrets = stack.layout, {}
    environment = {
        "ESHOP_HTTP_HOST": os.environ.get("ESHOP_HTTP_HOST", HOST),
        "ESHOP_HTTP_PORT": str(layout.port(name, "http")),
        "ESHOP_KAFKA_BROKERS": stack.brokers,
        "ESHOP_MYSQL_HOST": HOST,
        "ESHOP_MYSQL_PORT": str(layout.port("mysql", "sql")),
        "ESHOP_REDIS_HOST": HOST,
        "ESHOP_REDIS_PORT": str(layout.port("redis", "resp")),
    }
    if name != "gateway":
        environment["ESHOP_GRPC_PORT"] = str(layout.port(name, "grpc"))
    for store in ("mysql", "redis"):
        for kind in ("grpc", "http"):
            environment[f"ESHOP_DTM_{store}_{kind}".upper()] = layout.address(f"coordinator-{store}", kind)
    for other in SERVICES:
        if other != "gateway":
            environment[f"ESHOP_{other}_GRPC".upper()] = layout.address(other, "grpc")
    if name in ACCOUNTS:
        account = stack.mysql(name)
        environment |= {"ESHOP_MYSQL_USER": account.user, "ESHOP_MYSQL_DATABASE": account.database}
        secrets["mysql_password"] = account.password
    if "redis_password" in import_module(f"services.{name}.settings").Settings.model_fields:
        secrets["redis_password"] = stack.redis().password
    environment["ESHOP_SECRETS_DIR"] = str(stack.passwords.handed_to(name, secrets))
    command = (sys.executable, "-m", f"services.{name}")
    return Program(name, command, {**_python(), **environment}, layout.ports(name), ROOT)


def _coordinator(stack: Connections, name: str) -> Program:
    layout, driver = stack.layout, name.removeprefix("coordinator-")
    store = stack.mysql("dtm") if driver == "mysql" else stack.redis()
    environment = {
        "STORE_DRIVER": driver,
        "STORE_HOST": store.host,
        "STORE_PORT": str(store.port),
        "HTTP_PORT": str(layout.port(name, "http")),
        "GRPC_PORT": str(layout.port(name, "grpc")),
        "UPDATE_BRANCH_SYNC": "1",
    }
    if driver == "mysql":
        account = stack.mysql("dtm")
        environment |= {"STORE_USER": account.user, "STORE_DB": account.database}
    binary = _dtm_binary()
    if binary:
        folder = layout.data(name)
        folder.mkdir(parents=True, exist_ok=True)
        # DTM knows no secret files: its environment is its owner's alone. At its level info it logs the password and
        # every call. Its default of 500 connections is all that MySQL takes.
        connections = {"STORE_MAX_OPEN_CONNS": "64", "STORE_MAX_IDLE_CONNS": "64"}
        level = os.environ.get("LOG_LEVEL", "warn")
        environment |= {"STORE_PASSWORD": store.password, "LOG_LEVEL": level, **connections}
        return Program(name, (str(binary),), environment, layout.ports(name), folder)
    environment["ESHOP_SECRETS_DIR"] = str(stack.passwords.handed_to(name, {"store_password": store.password}))
    environment["ESHOP_HTTP_HOST"] = os.environ.get("ESHOP_HTTP_HOST", HOST)
    command = (sys.executable, "-m", "services.coordinator")
    return Program(name, command, {**_python(), **environment}, layout.ports(name), ROOT)


def _dtm_binary() -> Path | None:
    path = os.environ.get("ESHOP_DTM_BIN")
    return Path(path).resolve() if path else None


def _python() -> dict[str, str]:
    """Log lines at once; few malloc arenas, as one thread does the work."""
    return {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
