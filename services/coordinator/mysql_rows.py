"""SQL of the MySQL store: what is written and read, without any connection.

Times are whole seconds in UTC, rounded up, so that nothing falls due before its time.
"""

# ruff: noqa: S608 - only column names and placeholders are put together; every value is bound

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from services.coordinator.store import KeyValue, Stored
from services.coordinator.transaction import SUCCEED, UNFINISHED, Branch, Transaction, seconds_up

_GLOBAL_COLUMNS = (
    "gid, trans_type, status, query_prepared, protocol, create_time, update_time, options, custom_data, "
    "next_cron_interval, next_cron_time"
)
_BRANCH_COLUMNS = "gid, url, bin_data, branch_id, op, status, create_time, update_time"
_INSERT_GLOBALS = f"INSERT INTO trans_global ({_GLOBAL_COLUMNS}) VALUES "
_INSERT_BRANCHES = f"INSERT INTO trans_branch_op ({_BRANCH_COLUMNS}) VALUES "
_SET_GLOBAL = (
    "g.status=%s, g.update_time=%s, g.finish_time=%s, g.rollback_time=%s, g.rollback_reason=%s, "
    "g.next_cron_interval=%s, g.next_cron_time=%s"
)
_SAVE_GLOBAL = f"UPDATE trans_global g SET {_SET_GLOBAL} WHERE g.gid=%s AND g.status=%s"
UNFINISHED_LIST = "('" + "','".join(UNFINISHED) + "')"
STORED_GLOBAL = (
    "id, create_time, update_time, gid, trans_type, status, query_prepared, protocol, finish_time, rollback_time, "
    "options, custom_data, next_cron_interval, next_cron_time, owner, result, rollback_reason"
)
STORED_BRANCH = "id, create_time, update_time, gid, url, bin_data, branch_id, op, status, finish_time"


class Statement(NamedTuple):
    sql: str
    parameters: tuple[Any, ...]


# One atomic write. It was done if its first statement found a row.
Write = Sequence[Statement]


def insert(new: Stored) -> Write:
    trans, branches = new
    created = time_up(trans.create_time)
    row = (
        trans.gid, trans.trans_type, trans.status, trans.query_prepared, trans.protocol, created, created,
        trans.options, trans.custom_data, trans.next_cron_interval, time_up(trans.next_cron_time),
    )  # fmt: skip
    statements = [Statement(f"{_INSERT_GLOBALS}({marks(row)})", row)]
    if branches:
        rows = [
            (
                branch.gid,
                branch.url,
                branch.bin_data.hex(),
                branch.branch_id,
                branch.op,
                branch.status,
                created,
                created,
            )
            for branch in branches
        ]
        # Hexadecimal: the driver takes 30 times longer to escape bytes.
        places = ",".join(["(%s,%s,UNHEX(%s),%s,%s,%s,%s,%s)"] * len(rows))
        statements.append(Statement(_INSERT_BRANCHES + places, tuple(value for row in rows for value in row)))
    return statements


def update(trans: Transaction, expected: str, changed: Sequence[Branch]) -> Write:
    """One statement: the branches change only where the transaction's status is the expected one."""
    values = (
        trans.status, time_up(trans.update_time), time_up(trans.finish_time), time_up(trans.rollback_time),
        trans.rollback_reason, trans.next_cron_interval, time_up(trans.next_cron_time),
    )  # fmt: skip
    if not changed:
        return [Statement(_SAVE_GLOBAL, (*values, trans.gid, expected))]
    succeeded = [branch for branch in changed if branch.status == SUCCEED]
    moment = time_up(trans.update_time)
    keys = tuple(value for branch in changed for value in (branch.branch_id, branch.op))
    sql = (
        f"UPDATE trans_global g JOIN trans_branch_op b ON b.gid=g.gid SET {_SET_GLOBAL}, "
        f"b.status=IF(CONCAT(b.branch_id,'/',b.op) IN ({marks(succeeded) or 'NULL'}),'succeed','failed'), "
        "b.finish_time=%s, b.update_time=%s "
        f"WHERE g.gid=%s AND g.status=%s AND (b.branch_id,b.op) IN ({','.join(['(%s,%s)'] * len(changed))})"
    )
    names = tuple(f"{branch.branch_id}/{branch.op}" for branch in succeeded)
    return [Statement(sql, (*values, *names, moment, moment, trans.gid, expected, *keys))]


def read_transaction(row: Mapping[str, Any]) -> Transaction:
    values = _with_zone(row)
    values["next_cron_interval"] = values["next_cron_interval"] or 0
    trans = Transaction(**values)
    trans.concurrent = bool(trans.read_options().concurrent)
    return trans


def read_branch(row: Mapping[str, Any]) -> Branch:
    return Branch(**_with_zone(row))


def read_key_value(row: Mapping[str, Any]) -> KeyValue:
    return KeyValue(**_with_zone(row))


def _with_zone(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def marks(values: Collection[Any]) -> str:
    return ",".join(["%s"] * len(values))


def time_up(moment: datetime | None) -> str | None:
    return _text(seconds_up(moment)) if moment else None


def time_down(moment: datetime) -> str:
    return _text(int(moment.timestamp()))


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
