"""Tables of the schema eshop_coupon: coupons and the orders that used them, with CouponBranches' barrier."""

from __future__ import annotations

from sqlalchemy import Column, Index
from sqlalchemy.dialects.mysql import DATETIME

from services.common.tables import barrier_table, big_number, business_table, identifier, number, schema

UNUSED, USED, EXPIRED = 1, 2, 3

metadata = schema()

coupon = business_table(
    "coupon",
    metadata,
    big_number("user_id"),
    number("amount", default=None),  # cents
    number("status", default=1),  # 1 unused, 2 used, 3 expired
    Column("expires_at", DATETIME(fsp=3), nullable=True),  # null: never
    identifier("order_id", 45, default=""),  # of its use
    Index(None, "user_id"),
    Index(None, "order_id"),
)

barrier = barrier_table(metadata)
