"""Deletes from MySQL what is finished and old: `python -m services.coordinator.purge --older-than 7d`. Safe to repeat.

Finished transactions with their branches, and barrier rows of the services' schemas. Rows of unfinished transactions
stay, however old: a branch that is called again must find its barrier. The account (ESHOP_MYSQL_*) needs SELECT and
DELETE on the coordinator's database and on each `barrier`.
"""

# ruff: noqa: S608 - names of databases are checked (_name), values are bound

from __future__ import annotations

import argparse
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pymysql
import stamina
import structlog
from pymysql.cursors import Cursor

from services.common.settings import MysqlSettings
from services.common.telemetry import logs

log = structlog.get_logger()

_BATCH = 500
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_FINISHED = "status IN ('succeed', 'failed')"


class Settings(MysqlSettings):
    """Beside the account: the age in days, the coordinator's database, and the schemas with a barrier."""

    purge_days: int = 7
    purge_database: str = "dtm"
    purge_schemas: str = "eshop_order,eshop_stock,eshop_coupon,eshop_pay"


def purge_transactions(cursor: Cursor, database: str, before: datetime) -> int:
    """Deletes transactions that were finished before that time, with their branches: how many."""
    deleted = 0
    while gids := _finished(cursor, database, before):
        _delete(cursor, f"{database}.trans_branch_op", "gid", gids)
        _delete(cursor, f"{database}.trans_global", "gid", gids)
        deleted += len(gids)
    return deleted


def purge_barrier(cursor: Cursor, schema: str, before: datetime, unfinished: frozenset[str]) -> int:
    """Deletes barrier rows made before that time, except those of unfinished transactions: how many."""
    deleted = kept = 0
    while True:
        cursor.execute(
            f"SELECT id, gid FROM {schema}.barrier WHERE create_time < %s ORDER BY create_time, id LIMIT %s OFFSET %s",
            (before, _BATCH, kept),
        )
        rows = cursor.fetchall()
        if not rows:
            return deleted
        ids = [row_id for row_id, gid in rows if gid not in unfinished]
        kept += len(rows) - len(ids)
        if ids:
            _delete(cursor, f"{schema}.barrier", "id", ids)
        deleted += len(ids)


def unfinished_gids(cursor: Cursor, database: str, before: datetime) -> frozenset[str]:
    """Of transactions begun before that time that have not ended."""
    cursor.execute(
        f"SELECT gid FROM {database}.trans_global WHERE NOT {_FINISHED} AND create_time < %s",
        (before,),
    )
    return frozenset(gid for (gid,) in cursor.fetchall())


def _finished(cursor: Cursor, database: str, before: datetime) -> list[str]:
    # The schedule of a finished transaction is never before its end; it is what the index holds.
    cursor.execute(
        f"SELECT gid FROM {database}.trans_global "
        f"WHERE {_FINISHED} AND next_cron_time < %s AND update_time < %s LIMIT %s",
        (before, before, _BATCH),
    )
    return [gid for (gid,) in cursor.fetchall()]


@stamina.retry(on=pymysql.err.OperationalError, attempts=5)  # deadlocks, and lock waits, with the shop at work
def _delete(cursor: Cursor, table: str, column: str, values: list[str] | list[int]) -> None:
    cursor.execute(f"DELETE FROM {table} WHERE {column} IN %s", (values,))


def main() -> None:
    settings = Settings()
    parser = argparse.ArgumentParser(description="Deletes finished transactions and old barrier rows from MySQL.")
    parser.add_argument("--older-than", type=_age, default=f"{settings.purge_days}d", help="7d, 12h or 30m")
    parser.add_argument("--database", type=_name, default=settings.purge_database, help="the coordinator's")
    parser.add_argument("--schemas", type=_names, default=settings.purge_schemas, help="with a barrier, by commas")
    arguments = parser.parse_args()
    logs.configure("purge", settings.log_level, settings.log_format)
    before = datetime.now(UTC).replace(tzinfo=None) - arguments.older_than
    connection = pymysql.connect(
        host=settings.mysql_host,
        port=settings.mysql_port,
        user=settings.mysql_user,
        password=settings.mysql_password.get_secret_value(),
        autocommit=True,
        connect_timeout=5,
        init_command="SET SESSION time_zone = '+00:00', transaction_isolation = 'READ-COMMITTED'",
    )
    with closing(connection), connection.cursor() as cursor:
        unfinished = unfinished_gids(cursor, arguments.database, before)
        log.info("unfinished", transactions=len(unfinished), older_than=str(arguments.older_than))
        for schema in arguments.schemas:
            log.info("purged", schema=schema, barrier=purge_barrier(cursor, schema, before, unfinished))
        deleted = purge_transactions(cursor, arguments.database, before)
        log.info("purged", schema=arguments.database, transactions=deleted)


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([mhd])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is not an age such as 7d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _name(text: str) -> str:
    if not re.fullmatch(r"\w+", text):
        raise argparse.ArgumentTypeError(f"{text} is not the name of a database")
    return text


def _names(text: str) -> list[str]:
    return [_name(part.strip()) for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
