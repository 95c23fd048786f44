"""Migrations on the real MySQL: they make what the metadata says, whoever else runs them, wherever one was cut off."""

import importlib
import re
import secrets
import subprocess
import sys

import pytest
import sqlalchemy as sa

from db import migrate
from db.connection import AdminSettings, engine
from db.schemas import SCHEMAS
from dev.layout import ROOT

OWNED = [schema for schema in SCHEMAS if schema != "dtm"]


@pytest.fixture(scope="module")
def settings(stack):
    return AdminSettings(**stack.mysql("admin").settings())


@pytest.fixture
def databases(settings):
    """Databases of this test's own, by schema; they are dropped afterwards."""
    prefix = f"migrations_{secrets.token_hex(4)}"
    found = {schema: f"{prefix}_{schema}" for schema in SCHEMAS}
    yield found
    with engine(settings).connect() as connection:
        for database in found.values():
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS `{database}`"))


def tables_of(settings, database):
    """The lines of SHOW CREATE TABLE by table: without what rows leave in it, the keys in the order of their names."""
    with engine(settings, database).connect() as connection:
        names = [name for (name,) in connection.execute(sa.text("SHOW TABLES")) if name != "alembic_version"]
        texts = {name: connection.execute(sa.text(f"SHOW CREATE TABLE `{name}`")).one()[1] for name in names}
    return {name: lines_of(text) for name, text in texts.items()}


def lines_of(table):
    lines = [line.strip(" ,") for line in re.sub(r" AUTO_INCREMENT=\d+", "", table).splitlines()]
    keys = sorted(line for line in lines if "KEY `" in line)
    return [line for line in lines if line not in keys] + keys


def metadata_of(schema):
    return importlib.import_module(f"services.{schema}.tables").metadata


def create_from_metadata(settings, schema, database):
    with engine(settings).begin() as connection:
        connection.execute(sa.text(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4"))
    with engine(settings, database).begin() as connection:
        metadata_of(schema).create_all(connection)


@pytest.mark.parametrize("schema", OWNED)
def test_the_migrated_schema_equals_the_metadata(settings, databases, schema):
    create_from_metadata(settings, schema, databases[schema])
    assert tables_of(settings, SCHEMAS[schema]) == tables_of(settings, databases[schema])


def test_dtm_has_its_three_tables(settings):
    tables = tables_of(settings, "dtm")
    assert set(tables) == {"trans_global", "trans_branch_op", "kv"}
    assert "UNIQUE KEY `uq_trans_global_gid` (`gid`)" in tables["trans_global"]
    assert "UNIQUE KEY `uq_trans_branch_op` (`gid`,`branch_id`,`op`)" in tables["trans_branch_op"]


def test_a_repeat_changes_nothing(settings, capsys):
    before = {database: tables_of(settings, database) for database in SCHEMAS.values()}
    migrate.upgrade_all(settings)
    assert capsys.readouterr().out == "".join(f"{database}: at 0001\n" for database in SCHEMAS.values())
    assert {database: tables_of(settings, database) for database in SCHEMAS.values()} == before


def test_two_at_once_wait_for_each_other(settings, databases):
    """Two jobs on an empty server, as two releases that are installed at the same moment would run them."""
    environment = {
        "ESHOP_MYSQL_HOST": settings.mysql_host,
        "ESHOP_MYSQL_PORT": str(settings.mysql_port),
        "ESHOP_MYSQL_USER": settings.mysql_user,
        "ESHOP_MYSQL_PASSWORD": settings.mysql_password.get_secret_value(),
    }
    code = f"import db.migrate as m; m.SCHEMAS.update({databases}); m.main()"
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True, stdout=-1, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    outputs = sorted(job.communicate(timeout=120)[0] for job in jobs)
    assert [job.returncode for job in jobs] == [0, 0], outputs
    assert [output.count("at 0001") for output in outputs] == [len(SCHEMAS), 0]
    assert outputs[1].count("upgraded from nothing to 0001") == len(SCHEMAS)
    assert {schema: set(tables_of(settings, database)) for schema, database in databases.items()} == {
        schema: set(tables_of(settings, database)) for schema, database in SCHEMAS.items()
    }


def test_a_migration_that_was_cut_off_goes_on(settings, databases, monkeypatch):
    """MySQL commits at each CREATE TABLE: a job killed behind the first one finds it there."""
    monkeypatch.setattr(migrate, "SCHEMAS", {"order": databases["order"]})
    migrate.upgrade_all(settings)
    whole = tables_of(settings, databases["order"])
    with engine(settings, databases["order"]).begin() as connection:
        connection.execute(sa.text("DROP TABLE order_record"))
        connection.execute(sa.text("DELETE FROM alembic_version"))
    migrate.upgrade_all(settings)
    assert tables_of(settings, databases["order"]) == whole


def test_a_newer_release_s_schema_is_left_alone(settings, databases, monkeypatch, capsys):
    monkeypatch.setattr(migrate, "SCHEMAS", {"pay": databases["pay"]})
    migrate.upgrade_all(settings)
    with engine(settings, databases["pay"]).begin() as connection:
        connection.execute(sa.text("ALTER TABLE pay ADD COLUMN later INT"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0002'"))
    changed = tables_of(settings, databases["pay"])
    migrate.upgrade_all(settings)
    assert "at 0002, newer than this release's 0001: left as it is" in capsys.readouterr().out
    assert tables_of(settings, databases["pay"]) == changed


def test_the_printed_statements_are_the_migration(settings, databases, monkeypatch, capsys):
    """What a reviewer reads is what runs: the printed statements make the same tables."""
    monkeypatch.setattr(migrate, "SCHEMAS", {"stock": databases["stock"]})
    migrate.print_statements()
    printed = capsys.readouterr().out
    with engine(settings).connect() as connection:
        for statement in re.split(r";\s*\n", printed):
            if statement.strip():
                connection.exec_driver_sql(statement)
        connection.commit()
    assert tables_of(settings, databases["stock"]) == tables_of(settings, SCHEMAS["stock"])


def test_a_server_that_is_not_there_is_waited_for_then_told(settings, capsys):
    absent = settings.model_copy(update={"mysql_port": 1, "mysql_wait_seconds": 3})
    with pytest.raises(sa.exc.OperationalError):
        migrate.upgrade_all(absent)
    assert "waiting for MySQL at 127.0.0.1:1" in capsys.readouterr().err


def test_a_wrong_password_is_told_at_once(settings):
    wrong = settings.model_copy(update={"mysql_user": "nobody"})
    with pytest.raises(sa.exc.OperationalError, match="Access denied"):
        migrate.upgrade_all(wrong)
