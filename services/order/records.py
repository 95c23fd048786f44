"""Records: the rows of orders, as placement reads and writes them. A row is final: its saga creates it last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database, InsertMany
from services.common.errors import AlreadyExists, Conflict, KeyReused, ShopError, from_reason, to_reason
from services.common.pb.eshop.order.v1.branches_pb2 import NewOrder
from services.order.tables import order_record

TO_PAY, DONE, CANCELLED = 1, 4, 5

_PURCHASE = ("user_id", "product_id", "product_count", "amount", "coupon_id", "sale_id")

_COLUMNS = (*_PURCHASE, "order_id", "source", "status", "gid", "reason")
_INSERT = InsertMany(order_record, _COLUMNS)
_INSERT_IF_NEW = InsertMany(order_record, _COLUMNS, ignore=True)
_SELECT = sa.select(
    order_record.c.order_id, order_record.c.status, order_record.c.reason, *(order_record.c[name] for name in _PURCHASE)
).where(order_record.c.order_id.in_(sa.bindparam("order_ids", expanding=True)))
_DELETE = sa.delete(order_record).where(order_record.c.gid == sa.bindparam("of_gid"))


def same_purchase(one: Any, other: Any) -> bool:
    """Whether two orders of one id, rows or messages, are the same purchase."""
    return all(getattr(one, name) == getattr(other, name) for name in _PURCHASE)


class Records:
    """The table order_record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def outcomes(self, orders: Sequence[NewOrder]) -> dict[str, ShopError | None]:
        """Outcomes by id of the orders that have a row: None for placed, the reason for cancelled."""
        if not orders:
            return {}
        async with self._database.read() as connection:
            rows = await connection.execute(_SELECT, {"order_ids": [order.order_id for order in orders]})
        found = {row.order_id: row for row in rows}
        return {order.order_id: _outcome(order, found[order.order_id]) for order in orders if order.order_id in found}

    async def cancel(self, refused: Iterable[tuple[NewOrder, ShopError]]) -> None:
        """Records refused orders as cancelled, with the reason; an order that has a row by now keeps it."""
        rows = [_row(order, CANCELLED, reason=to_reason(error)[:255]) for order, error in refused]

        async def work(connection: AsyncConnection) -> None:
            await _INSERT_IF_NEW.run(connection, rows)

        if rows:
            await self._database.run(work)


async def create(connection: AsyncConnection, orders: Iterable[NewOrder], gid: str) -> None:
    """Inserts orders to pay. AlreadyExists: one of the ids has a row."""
    try:
        await _INSERT.run(connection, [_row(order, TO_PAY, gid=gid) for order in orders])
    except IntegrityError as error:
        raise AlreadyExists("an order of this id exists") from error


async def delete(connection: AsyncConnection, gid: str) -> None:
    """Deletes the orders that this gid created."""
    await connection.execute(_DELETE, {"of_gid": gid})


def _outcome(order: NewOrder, row: Any) -> ShopError | None:
    if not same_purchase(order, row):
        return KeyReused(f"order {order.order_id} is another purchase")
    if row.status == CANCELLED and row.reason:
        return from_reason(row.reason) or Conflict(row.reason)
    return None


def _row(order: NewOrder, status: int, *, gid: str = "", reason: str = "") -> dict[str, Any]:
    row = {name: getattr(order, name) for name in _PURCHASE}
    return row | {"order_id": order.order_id, "source": order.source, "status": status, "gid": gid, "reason": reason}
