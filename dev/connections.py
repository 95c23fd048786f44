"""How to reach the parts of a stack: addresses from its layout, accounts from its passwords."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from db.accounts import ACCOUNTS
from dev.layout import HOST, Layout
from dev.passwords import Passwords


@dataclass(frozen=True)
class MysqlAccount:
    """How to reach MySQL as somebody; `database` is empty for accounts of more than one schema."""

    host: str
    port: int
    user: str
    password: str
    database: str = ""

    def settings(self) -> dict[str, Any]:
        """As MysqlSettings takes it."""
        return {f"mysql_{name}": value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class RedisAccount:
    """How to reach Redis."""

    host: str
    port: int
    password: str


class Connections:
    """Of one stack, whether or not it runs. Folder and offset are the environment's where none are given."""

    def __init__(self, folder: Path | None = None, offset: int | None = None) -> None:
        given = {"folder": folder.resolve() if folder else None, "offset": offset}
        self.layout = Layout(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        self.passwords = Passwords(self.layout.folder / "secrets")

    def mysql(self, account: str) -> MysqlAccount:
        """Of `admin`, or of one of db.accounts: `reader`, `dtm`, a service that owns a schema."""
        port = self.layout.port("mysql", "sql")
        if account == "admin":
            return MysqlAccount(HOST, port, "root", self.passwords.get("mysql_root"))
        found = ACCOUNTS[account]
        database = found.schemas[0] if len(found.schemas) == 1 else ""
        return MysqlAccount(HOST, port, found.user, self.passwords.get(f"mysql_{account}"), database)

    def redis(self) -> RedisAccount:
        return RedisAccount(HOST, self.layout.port("redis", "resp"), self.passwords.get("redis"))

    @property
    def brokers(self) -> str:
        """Kafka's bootstrap servers."""
        return self.layout.address("kafka", "broker")

    def address(self, name: str, kind: str) -> str:
        """`host:port` of a process; kind is `http` or `grpc`."""
        return self.layout.address(name, kind)

    def url(self, name: str) -> str:
        """Of a process's HTTP side, without a path."""
        return f"http://{self.layout.address(name, 'http')}"
