"""The administrator's connection to MySQL, for the jobs of this folder."""

from __future__ import annotations

import sys
import time

from pydantic import Field
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from services.common.settings import MysqlSettings

NOT_THERE_YET = (2002, 2003, 2006, 2013)  # client errors: no server, or one that went away


class AdminSettings(MysqlSettings):
    """ESHOP_MYSQL_* of an account that may create databases and accounts."""

    mysql_wait_seconds: float = Field(120, ge=0)


def engine(settings: AdminSettings, database: str = "") -> Engine:
    """Each connect makes a new connection; times are UTC."""
    url = URL.create(
        "mysql+pymysql",
        settings.mysql_user,
        settings.mysql_password.get_secret_value(),
        settings.mysql_host,
        settings.mysql_port,
        database or None,
        {"charset": "utf8mb4"},
    )
    options = {"connect_timeout": 5, "init_command": "SET time_zone = '+00:00'"}
    return create_engine(url, poolclass=NullPool, connect_args=options)


def connect_patiently(settings: AdminSettings) -> Connection:
    """Connects as soon as the server answers; gives up after ESHOP_MYSQL_WAIT_SECONDS."""
    deadline = time.monotonic() + settings.mysql_wait_seconds
    admin = engine(settings)
    while True:
        try:
            return admin.connect()
        except OperationalError as error:
            if error.orig is None or error.orig.args[0] not in NOT_THERE_YET or time.monotonic() > deadline:
                raise
            sys.stderr.write(f"waiting for MySQL at {settings.mysql_host}:{settings.mysql_port}\n")
            time.sleep(2)
