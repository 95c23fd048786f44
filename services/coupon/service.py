"""CouponService: the coupons of users."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.common.crud import Crud
from services.common.database import Database
from services.common.errors import Invalid
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.timestamps import from_rfc3339
from services.coupon.tables import UNUSED, USED, coupon

_LOOK = sa.select(*(coupon.c[field.name] for field in coupon_pb2.Coupon.DESCRIPTOR.fields)).where(
    coupon.c.id.in_(sa.bindparam("ids", expanding=True)), coupon.c.deleted_at.is_(None)
)
_FREE, _REFUSAL = coupon.c.status != USED, "an order has used this coupon"


class CouponService:
    """Public; CouponBranches alone use coupons."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._crud: Crud[coupon_pb2.Coupon] = Crud(database, coupon, coupon_pb2.Coupon)

    async def create(self, request: coupon_pb2.CreateRequest) -> coupon_pb2.CreateResponse:
        values = {
            "user_id": request.user_id,
            "amount": request.amount,
            "status": request.status or UNUSED,
            "expires_at": _moment(request.expires_at),
        }
        return coupon_pb2.CreateResponse(id=await self._crud.create(values))

    async def get(self, request: coupon_pb2.GetRequest) -> coupon_pb2.GetResponse:
        return coupon_pb2.GetResponse(coupon=await self._crud.get(request.id))

    async def update(self, request: coupon_pb2.UpdateRequest) -> coupon_pb2.UpdateResponse:
        names = [name for name in ("user_id", "amount", "status", "expires_at") if request.HasField(name)]
        changes: dict[str, Any] = {name: getattr(request, name) for name in names}
        if "expires_at" in changes:
            changes["expires_at"] = _moment(request.expires_at)
        await self._crud.update(request.id, changes, _FREE, _REFUSAL)
        return coupon_pb2.UpdateResponse()

    async def delete(self, request: coupon_pb2.DeleteRequest) -> coupon_pb2.DeleteResponse:
        await self._crud.delete(request.id, _FREE, _REFUSAL)
        return coupon_pb2.DeleteResponse()

    async def list(self, request: coupon_pb2.ListRequest) -> coupon_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return coupon_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: coupon_pb2.SearchRequest) -> coupon_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return coupon_pb2.SearchResponse(list=rows, total=total)

    async def look(self, request: coupon_pb2.LookRequest) -> coupon_pb2.LookResponse:
        async with self._database.read() as connection:
            rows = await connection.execute(_LOOK, {"ids": list(request.ids)})
        return coupon_pb2.LookResponse(coupons=[self._crud.to_message(row) for row in rows])


def _moment(text: str) -> datetime | None:
    """The column's value of an RFC 3339 time; empty: never."""
    try:
        return from_rfc3339(text) if text else None
    except ValueError:
        raise Invalid("expiresAt: must be an RFC 3339 time, such as 2030-01-31T00:00:00Z") from None
