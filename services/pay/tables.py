"""Tables of the schema eshop_pay: one payment for each live order, with PayBranches' barrier."""

from __future__ import annotations

from sqlalchemy import Index

from services.common.tables import barrier_table, big_number, business_table, identifier, number, schema, small_number

PENDING, PAID, CANCELLED = 1, 2, 4

metadata = schema()

pay = business_table(
    "pay",
    metadata,
    big_number("user_id"),
    identifier("order_id", 45, unique=True),
    number("amount", default=None),  # cents
    small_number("status", default=1),  # 1 pending, 2 paid, 4 cancelled
    identifier("gid", 128, default=""),  # of the saga that created it
    Index(None, "gid"),
)

barrier = barrier_table(metadata)
