"""Brings every schema to its newest revision: `python -m db.migrate`. Safe to repeat and to run twice at once.

    python -m db.migrate                                the account ESHOP_MYSQL_USER creates databases and tables
    python -m db.migrate --sql                          prints the statements for review; needs no server
    python -m db.migrate --revision order -m "add …"    begins a new revision of one schema

Histories go forward only, and each revision keeps the release before it working. Where a newer release has been at
work, the older one leaves the schema as it is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.connection import AdminSettings, connect_patiently, engine
from db.schemas import FOLDER, SCHEMAS
from services.common.settings import load

LOCK = "eshop.migrate"
LOCK_SECONDS = 600


def upgrade_all(settings: AdminSettings) -> None:
    """Creates missing databases and upgrades all schemas, one process at a time on the whole server."""
    with connect_patiently(settings) as connection, _locked(connection):
        for schema, database in SCHEMAS.items():
            connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4"))
            with engine(settings, database).connect() as own:
                sys.stdout.write(f"{database}: {_upgrade(schema, own)}\n")


def print_statements() -> None:
    """Writes all statements of all histories to standard output."""
    for schema, database in SCHEMAS.items():
        sys.stdout.write(f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4;\nUSE `{database}`;\n\n")
        command.upgrade(_config(schema), "head", sql=True)


def begin_revision(schema: str, message: str) -> None:
    """Writes a new revision file behind the newest one."""
    config = _config(schema)
    number = 1 + len(list(ScriptDirectory.from_config(config).walk_revisions()))
    command.revision(config, message, rev_id=f"{number:04}")


def _upgrade(schema: str, connection: Connection) -> str:
    """Upgrades one schema; returns what happened, for people."""
    config = _config(schema)
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    before, newest = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
    if before == newest:
        return f"at {newest}"
    if before and not _knows(scripts, before):
        return f"at {before}, newer than this release's {newest}: left as it is"
    command.upgrade(config, "head")
    connection.commit()
    return f"upgraded from {before or 'nothing'} to {newest}"


def _knows(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def _config(schema: str) -> Config:
    config = Config()
    options = {
        "script_location": str(FOLDER),
        "path_separator": "newline",
        "version_locations": str(FOLDER / schema / "versions"),
        "file_template": "%(rev)s_%(slug)s",
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    return config


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """Holds a lock that MySQL frees when the connection ends, so that a killed job blocks nobody."""
    got = connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK, "seconds": LOCK_SECONDS}).scalar()
    if got != 1:
        raise SystemExit(f"another migration has held the lock {LOCK!r} for {LOCK_SECONDS} s")
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m db.migrate", description="Brings every schema to its newest revision."
    )
    parser.add_argument("--sql", action="store_true", help="print the statements and change nothing")
    parser.add_argument(
        "--revision", choices=SCHEMAS, metavar="SCHEMA", help=f"begin a revision of {', '.join(SCHEMAS)}"
    )
    parser.add_argument("-m", "--message", default="change", help="what the revision does")
    arguments = parser.parse_args()
    try:
        if arguments.revision:
            begin_revision(arguments.revision, arguments.message)
        elif arguments.sql:
            print_statements()
        else:
            upgrade_all(load(AdminSettings))
    except (DBAPIError, CommandError) as error:
        raise SystemExit(f"migration failed: {getattr(error, 'orig', None) or error}") from None


if __name__ == "__main__":
    main()
