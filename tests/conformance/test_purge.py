"""The purge: what is finished and old goes, with its barrier rows; what is unfinished or young stays."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

from .coordinators import ROOT, admin_connection, create_mysql_space, drop_mysql_space

# (gid, status, age in days)
TRANSACTIONS = [
    *((f"done-{number}", "succeed", 8) for number in range(1200)),
    ("failed", "failed", 8),
    ("young", "succeed", 6),
    ("stuck", "submitted", 30),
]


@pytest.fixture
def space(stack):
    """A database that serves as the coordinator's and as a service's."""
    space = create_mysql_space(stack)
    yield space
    drop_mysql_space(stack, space)


def test_purge(stack, space):
    account, database = stack.mysql("admin"), space.environment["STORE_DB"]
    with closing(admin_connection(stack)) as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {database}")
        cursor.execute("CREATE TABLE barrier LIKE eshop_stock.barrier")
        _insert(cursor)
        environment = {
            **os.environ,
            "ESHOP_MYSQL_HOST": account.host,
            "ESHOP_MYSQL_PORT": str(account.port),
            "ESHOP_MYSQL_USER": account.user,
            "ESHOP_MYSQL_PASSWORD": account.password,
        }
        command = [sys.executable, "-m", "services.coordinator.purge", "--database", database, "--schemas", database]
        for options in (["--older-than", "7d"], []):  # a repeat finds nothing to do
            subprocess.run([*command, *options], cwd=ROOT, env=environment, check=True, capture_output=True)
            for table in ("trans_global", "trans_branch_op", "barrier"):
                cursor.execute(f"SELECT gid FROM {table}")
                assert {gid for (gid,) in cursor.fetchall()} == {"young", "stuck"}, table


def test_an_age_that_cannot_be_read_deletes_nothing():
    command = [sys.executable, "-m", "services.coordinator.purge", "--older-than", "week"]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "ESHOP_MYSQL_USER": "x"}, capture_output=True, text=True)
    assert run.returncode == 2
    assert "week is not an age" in run.stderr


def _insert(cursor):
    ago = "UTC_TIMESTAMP() - INTERVAL %s DAY"
    cursor.executemany(
        "INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time,"
        f" next_cron_time) VALUES (%s, 'saga', %s, '', 'grpc', {ago}, {ago}, {ago})",
        [(gid, status, days, days, days) for gid, status, days in TRANSACTIONS],
    )
    cursor.executemany(
        "INSERT INTO trans_branch_op (gid, url, branch_id, op, status) VALUES (%s, '', '01', 'action', 'succeed')",
        [(gid,) for gid, _, _ in TRANSACTIONS],
    )
    cursor.executemany(
        f"INSERT INTO barrier (gid, branch_id, op, barrier_id, create_time) VALUES (%s, '01', 'action', '01', {ago})",
        [(gid, days) for gid, _, days in TRANSACTIONS],
    )
