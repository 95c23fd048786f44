"""Creates a MySQL account for each service that may use its own schema only: `python -m db.accounts`. Safe to repeat.

The account ESHOP_MYSQL_USER creates them; the passwords come as ESHOP_<ACCOUNT>_MYSQL_PASSWORD, or as files
`<account>_mysql_password` in the folder ESHOP_SECRETS_DIR. A changed password is set again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from pydantic import Field, SecretStr, create_model
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.connection import AdminSettings, connect_patiently
from db.schemas import SCHEMAS
from services.common.flow import BRANCHES
from services.common.settings import load


@dataclass(frozen=True)
class Account:
    """A MySQL user, and what it may do in which databases, and in which single tables of others."""

    user: str
    schemas: tuple[str, ...]
    privileges: str = "SELECT, INSERT, UPDATE, DELETE"
    tables: tuple[str, ...] = ()


# Every service with branches and a schema keeps a barrier there.
BARRIERS = tuple(
    f"{SCHEMAS[name]}.barrier" for name in sorted({branch.service for branch in BRANCHES} & SCHEMAS.keys())
)

ACCOUNTS = {
    **{name: Account(f"eshop_{name}", (database,)) for name, database in SCHEMAS.items()},
    "reader": Account("eshop_reader", tuple(SCHEMAS.values()), "SELECT"),
    "purge": Account("eshop_purge", (SCHEMAS["dtm"],), "SELECT, DELETE", BARRIERS),
}


_PASSWORDS: dict[str, Any] = {f"{name}_mysql_password": (SecretStr, Field(min_length=8)) for name in ACCOUNTS}
AccountSettings = create_model("AccountSettings", __base__=AdminSettings, **_PASSWORDS)


def create(connection: Connection, account: Account, password: str) -> None:
    """Makes the account exist with this password and its privileges."""
    who = {"user": account.user, "password": password}
    identified = "IDENTIFIED WITH caching_sha2_password BY :password"
    connection.execute(text(f"CREATE USER IF NOT EXISTS :user@'%' {identified}"), who)
    connection.execute(text(f"ALTER USER :user@'%' {identified}"), who)
    for schema in account.schemas:
        pattern = schema.replace("_", r"\_")  # in a grant, _ stands for any character
        connection.execute(text(f"GRANT {account.privileges} ON `{pattern}`.* TO :user@'%'"), who)
    for table in account.tables:
        connection.execute(text(f"GRANT {account.privileges} ON {table} TO :user@'%'"), who)


def main() -> None:
    settings = load(AccountSettings)
    try:
        with connect_patiently(settings) as connection:
            for name, account in ACCOUNTS.items():
                password: SecretStr = getattr(settings, f"{name}_mysql_password")
                create(connection, account, password.get_secret_value())
    except DBAPIError as error:
        raise SystemExit(f"accounts failed: {error.orig}") from None  # never the statement: it holds a password
    sys.stdout.write(f"accounts: {', '.join(account.user for account in ACCOUNTS.values())}\n")


if __name__ == "__main__":
    main()
