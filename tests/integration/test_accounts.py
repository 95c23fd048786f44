"""Accounts on the real MySQL: a service may work on its own rows and on nothing else."""

import dataclasses
import secrets

import pymysql
import pytest
import sqlalchemy as sa

from db.accounts import ACCOUNTS, Account, create
from db.connection import AdminSettings, engine
from db.schemas import SCHEMAS

DENIED = (1044, 1142, 1227)  # database, table, privilege


@pytest.fixture
def connect(stack):
    """Connections by account; they are closed afterwards."""
    opened = []

    def connect(name, **changes):
        account = dataclasses.replace(stack.mysql(name), **changes)
        connection = pymysql.connect(
            host=account.host,
            port=account.port,
            user=account.user,
            password=account.password,
            database=account.database or None,
            autocommit=True,
        )
        opened.append(connection)
        return connection.cursor()

    yield connect
    for connection in opened:
        connection.close()


def denied(cursor, statement):
    with pytest.raises(pymysql.MySQLError) as error:
        cursor.execute(statement)
    return error.value.args[0] in DENIED


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_service_works_on_its_own_schema_only(connect, name):
    own = connect(name)
    table = {"dtm": "kv", "order": "order_record"}.get(name, name)
    own.execute(f"SELECT COUNT(*) FROM `{table}`")
    assert denied(own, f"DROP TABLE `{table}`")
    assert denied(own, f"ALTER TABLE `{table}` ADD COLUMN mine INT")
    assert denied(own, "CREATE TABLE mine (id INT)")
    for other, database in SCHEMAS.items():
        if other != name:
            assert denied(own, f"USE `{database}`")
    assert denied(own, "SELECT * FROM mysql.user")
    assert denied(own, "SET GLOBAL innodb_flush_log_at_trx_commit = 0")


def test_the_reader_reads_all_and_writes_nothing(connect):
    reader = connect("reader")
    reader.execute("SELECT COUNT(*) FROM eshop_order.order_record, eshop_pay.pay, dtm.trans_global")
    for statement in ("DELETE FROM eshop_pay.pay", "INSERT INTO dtm.kv (cat, k) VALUES ('a', 'b')"):
        assert denied(reader, statement)


def test_the_purge_deletes_transactions_and_barriers_and_nothing_else(connect):
    purge = connect("purge")
    purge.execute("DELETE FROM dtm.trans_global WHERE gid = 'none'")
    purge.execute("DELETE FROM eshop_pay.barrier WHERE gid = 'none'")
    assert denied(purge, "DELETE FROM eshop_pay.pay")
    assert denied(purge, "SELECT * FROM eshop_order.order_record")


def test_an_underscore_in_a_name_stands_for_itself(connect):
    """In a grant it would stand for any character: eshop_order's account must not see eshopXorder."""
    admin = connect("admin")
    admin.execute("CREATE DATABASE IF NOT EXISTS `eshopXorder`")
    try:
        assert denied(connect("order"), "USE `eshopXorder`")
    finally:
        admin.execute("DROP DATABASE `eshopXorder`")


def test_a_changed_password_is_set_and_the_old_one_is_refused(stack, connect):
    settings = AdminSettings(**stack.mysql("admin").settings())
    guest = Account(f"guest_{secrets.token_hex(4)}", ("eshop_user",))
    with engine(settings).connect() as connection:
        try:
            create(connection, guest, "first 'word' \\")
            connect("user", user=guest.user, password="first 'word' \\").execute("SELECT 1")
            create(connection, guest, "second word")
            connect("user", user=guest.user, password="second word").execute("SELECT 1")
            with pytest.raises(pymysql.MySQLError, match="Access denied"):
                connect("user", user=guest.user, password="first 'word' \\")
        finally:
            connection.execute(sa.text("DROP USER :user"), {"user": guest.user})


def test_every_schema_has_an_account():
    assert set(ACCOUNTS) == {*SCHEMAS, "reader", "purge"}
