"""CouponBranches: the coupon service's step in the order saga, action and compensation side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.dtm.barrier import BranchCall, mysql_barrier
from services.common.errors import CouponNotUsable, OrderInFlight
from services.common.pb.eshop.coupon.v1.branches_pb2 import CouponUse, UseRequest
from services.coupon.tables import UNUSED, USED, coupon

_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
# Locked in id order, so that two sagas never wait for each other.
_LOCK = (
    sa.select(coupon)
    .where(coupon.c.id.in_(_IDS), coupon.c.deleted_at.is_(None))
    .order_by(coupon.c.id)
    .with_for_update()
)
_USE = (
    sa.update(coupon)
    .where(coupon.c.id == sa.bindparam("of_id"))
    .values(status=USED, order_id=sa.bindparam("for_order"))
)
_RETURN = (
    sa.update(coupon)
    .where(coupon.c.id.in_(_IDS), coupon.c.order_id.in_(sa.bindparam("order_ids", expanding=True)))
    .values(status=UNUSED, order_id="")
)


class CouponBranches:
    """Called by DTM."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, request: UseRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            rows = await connection.execute(_LOCK, {"ids": [use.coupon_id for use in request.uses]})
            found = {row.id: row for row in rows}
            now = datetime.now(UTC).replace(tzinfo=None)
            for use in request.uses:
                _check(use, found.pop(use.coupon_id, None), now)
            values = [{"of_id": use.coupon_id, "for_order": use.order_id} for use in request.uses]
            await connection.execute(_USE, values)

        await mysql_barrier(self._database, call, work)
        return Empty()

    async def use_revert(self, request: UseRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            ids = [use.coupon_id for use in request.uses]
            await connection.execute(_RETURN, {"ids": ids, "order_ids": [use.order_id for use in request.uses]})

        await mysql_barrier(self._database, call, work)
        return Empty()


def _check(use: CouponUse, row: Any, now: datetime) -> None:
    """Raises what is wrong with this use of a coupon. `row` is None when it is missing or in use twice in the list."""
    problem = ""
    if row is None:
        problem = "does not exist"
    elif row.user_id != use.user_id:
        problem = "is another user's"
    elif row.status == USED and row.order_id == use.order_id:
        raise OrderInFlight(f"order {use.order_id} holds coupon {use.coupon_id} already")
    elif row.status == USED:
        problem = "is used"
    elif row.status != UNUSED or (row.expires_at and row.expires_at <= now):
        problem = "is expired"
    elif row.amount > use.order_amount:
        problem = "is worth more than the order"
    if problem:
        raise CouponNotUsable(f"coupon {use.coupon_id} {problem}")
