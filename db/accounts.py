"""Creates a MySQL account for each service that may use its own schema only: `python -m db.accounts`. Safe to repeat.

The account ESHOP_MYSQL_USER creates them; the passwords come as ESHOP_<ACCOUNT>_MYSQL_PASSWORD, or as files
`<account>_mysql_password` in the folder ESHOP_SECRETS_DIR. A changed password is set again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pydantic import Field, SecretStr, ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.connection import AdminSettings, connect_patiently
from db.schemas import SCHEMAS


@dataclass(frozen=True)
class Account:
    """A MySQL user, and what it may do in which databases, and in which single tables of others."""

    user: str
    schemas: tuple[str, ...]
    privileges: str = "SELECT, INSERT, UPDATE, DELETE"
    tables: tuple[str, ...] = ()


BARRIERS = tuple(f"{SCHEMAS[name]}.barrier" for name in ("order", "stock", "coupon", "pay"))

ACCOUNTS = {
    **{name: Account(f"eshop_{name}", (database,)) for name, database in SCHEMAS.items()},
    "reader": Account("eshop_reader", tuple(SCHEMAS.values()), "SELECT"),
    "purge": Account("eshop_purge", (SCHEMAS["dtm"],), "SELECT, DELETE", BARRIERS),
}


class AccountSettings(AdminSettings):
    user_mysql_password: SecretStr = Field(min_length=8)
    product_mysql_password: SecretStr = Field(min_length=8)
    order_mysql_password: SecretStr = Field(min_length=8)
    stock_mysql_password: SecretStr = Field(min_length=8)
    coupon_mysql_password: SecretStr = Field(min_length=8)
    pay_mysql_password: SecretStr = Field(min_length=8)
    dtm_mysql_password: SecretStr = Field(min_length=8)
    reader_mysql_password: SecretStr = Field(min_length=8)
    purge_mysql_password: SecretStr = Field(min_length=8)

    def password_of(self, account: str) -> str:
        password: SecretStr = getattr(self, f"{account}_mysql_password")
        return password.get_secret_value()


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
    try:
        settings = AccountSettings()
        with connect_patiently(settings) as connection:
            for name, account in ACCOUNTS.items():
                create(connection, account, settings.password_of(name))
    except ValidationError as error:
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors())
        raise SystemExit(f"settings: missing or too short: {missing}") from None
    except DBAPIError as error:
        raise SystemExit(f"accounts failed: {error.orig}") from None  # never the statement: it holds a password
    sys.stdout.write(f"accounts: {', '.join(account.user for account in ACCOUNTS.values())}\n")


if __name__ == "__main__":
    main()
