"""Barriers: each branch operation runs once, and an action that comes after its compensation does nothing.

`BranchCall` says which branch of which transaction DTM calls. `mysql_barrier` is DTM's algorithm for MySQL: its rows
are written in the transaction of the business writes. The one for Redis is part of the flash sale's Lua scripts.
Source of the rules: DTM's protocol, "barrier" (rows of `barrier`: unique gid, branch_id, op, barrier_id).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import ShopError
from services.common.tables import barrier_table

ACTION, COMPENSATE = "action", "compensate"
_BARRIER_ID = "01"  # every branch makes one barrier call
_METADATA = ("dtm-trans_type", "dtm-gid", "dtm-branch_id", "dtm-op")

_INSERT = insert(barrier_table(sa.MetaData())).prefix_with("IGNORE")


@dataclass(frozen=True, slots=True)
class BranchCall:
    """One call of one branch by DTM."""

    trans_type: str
    gid: str
    branch_id: str
    op: str

    @classmethod
    def from_metadata(cls, metadata: Iterable[tuple[str, Any]] | None) -> BranchCall:
        """From gRPC metadata. Without it the call is not DTM's: an error, and no refusal."""
        found = {key: str(value) for key, value in metadata or ()}
        values = [found.get(key, "") for key in _METADATA]
        if not all(values):
            raise ShopError("only DTM may call a branch: its metadata is missing")
        # MySQL would cut a longer gid silently and take two transactions for one.
        if len(values[1]) > 128 or len(values[2]) > 128:
            raise ShopError("gid or branch id is longer than 128 characters")
        return cls(*values)


async def mysql_barrier(
    database: Database, call: BranchCall, work: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    """Runs `work` at most once for this branch operation, in one transaction with the barrier's rows.

    Skips it, with success, when it is a repeat, a compensation without action, or an action after its compensation.
    """

    async def transaction(connection: AsyncConnection) -> None:
        # The compensation first claims the action's row: the claim waits for an action that is still running, and
        # succeeds only where no action has committed, which also locks a late action out.
        empty = call.op == COMPENSATE and await _insert(connection, call, ACTION)
        first = await _insert(connection, call, call.op)
        if first and not empty:
            await work(connection)

    await database.run(transaction)


async def _insert(connection: AsyncConnection, call: BranchCall, op: str) -> bool:
    """True when the row is new."""
    row = {
        "trans_type": call.trans_type,
        "gid": call.gid,
        "branch_id": call.branch_id,
        "op": op,
        "barrier_id": _BARRIER_ID,
        "reason": call.op,
    }
    result: sa.CursorResult[Any] = await connection.execute(_INSERT, row)
    return result.rowcount == 1
