"""Columns that tables of every schema share: the id and the times of a business table, and DTM's barrier table.

Each service lists its own tables in its tables.py; db/<schema>/ creates them and a test keeps both equal.
Times are UTC: every connection and the server run with time zone +00:00. Identifiers compare byte by byte.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, UniqueConstraint, text
from sqlalchemy.dialects.mysql import BIGINT, DATETIME, INTEGER, TINYINT, VARCHAR

NOW = "CURRENT_TIMESTAMP(3)"
OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def business_table(name: str, metadata: MetaData, *parts: Column[Any] | Index) -> Table:
    """A table with `id` first, the given columns and indexes, then `created_at`, `updated_at` and `deleted_at`.

    The server fills the first two times; a row is live while `deleted_at` is null.
    """
    return Table(
        name,
        metadata,
        Column("id", BIGINT(unsigned=True), primary_key=True, autoincrement=True),
        *parts,
        Column("created_at", DATETIME(fsp=3), nullable=False, server_default=text(NOW)),
        Column("updated_at", DATETIME(fsp=3), nullable=False, server_default=text(f"{NOW} ON UPDATE {NOW}")),
        Column("deleted_at", DATETIME(fsp=3), nullable=True),
        **OPTIONS,
    )


def identifier(name: str, length: int, *, default: str | None = None, unique: bool = False) -> Column[str]:
    """An id made of characters (order id, gid): at most `length` of them, compared byte by byte."""
    kind = VARCHAR(length, collation="utf8mb4_bin")
    return Column(name, kind, nullable=False, server_default=default, unique=unique)


def string(name: str, length: int, *, default: str | None = "", unique: bool = False) -> Column[str]:
    """Text of at most `length` characters; `default` None makes it required."""
    return Column(name, VARCHAR(length), nullable=False, server_default=default, unique=unique)


def number(name: str, *, default: int | None = 0, unique: bool = False) -> Column[int]:
    """A whole number from 0 to 2^32 - 1: cents, units."""
    return Column(name, INTEGER(unsigned=True), nullable=False, server_default=_digits(default), unique=unique)


def big_number(name: str, *, default: int | None = None, unique: bool = False) -> Column[int]:
    """A whole number from 0 to 2^64 - 1: ids, seconds."""
    return Column(name, BIGINT(unsigned=True), nullable=False, server_default=_digits(default), unique=unique)


def small_number(name: str, *, default: int | None = 0) -> Column[int]:
    """A whole number from 0 to 255: statuses and kinds."""
    return Column(name, TINYINT(unsigned=True), nullable=False, server_default=_digits(default))


def barrier_table(metadata: MetaData) -> Table:
    """DTM's barrier table: one row for each operation of a branch that ran, or that may never run any more.

    The unique key makes a branch run once; `create_time` is indexed for the purge of old rows.
    """
    now = text("CURRENT_TIMESTAMP")
    return Table(
        "barrier",
        metadata,
        Column("id", BIGINT(unsigned=True), primary_key=True, autoincrement=True),
        identifier("trans_type", 45, default=""),
        identifier("gid", 128, default=""),
        identifier("branch_id", 128, default=""),
        identifier("op", 45, default=""),
        identifier("barrier_id", 45, default=""),
        identifier("reason", 45, default=""),
        Column("create_time", DATETIME, nullable=False, server_default=now),
        Column("update_time", DATETIME, nullable=False, server_default=now),
        UniqueConstraint("gid", "branch_id", "op", "barrier_id", name="uq_barrier"),
        Index("ix_barrier_create_time", "create_time"),
        **OPTIONS,
    )


def schema() -> MetaData:
    """Metadata whose indexes and unique keys are named after their table and columns."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )


def _digits(default: int | None) -> str | None:
    return None if default is None else str(default)
