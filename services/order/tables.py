"""Tables of the schema eshop_order: orders with their final outcome, with OrderBranches' barrier."""

from __future__ import annotations

from sqlalchemy import Index

from services.common.tables import (
    barrier_table,
    big_number,
    business_table,
    identifier,
    number,
    schema,
    small_number,
    string,
)

metadata = schema()

order_record = business_table(
    "order_record",
    metadata,
    identifier("order_id", 45, unique=True),
    big_number("user_id"),
    big_number("product_id"),
    number("product_count", default=None),
    number("amount", default=None),  # cents
    big_number("coupon_id", default=0),  # 0: none
    small_number("status", default=None),  # 1 to pay, 2 to ship, 3 to receive, 4 done, 5 cancelled
    identifier("gid", 128, default=""),  # of the saga that created it; empty for a recorded refusal
    small_number("source"),  # 1 submit, 2 queue, 3 flash sale
    big_number("sale_id", default=0),  # 0: none
    string("reason", 255),  # why it was cancelled
    Index(None, "gid"),
)

barrier = barrier_table(metadata)
