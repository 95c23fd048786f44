"""Tables of the schema eshop_stock: the ordinary stock of a product and its flash sales, with StockBranches' barrier.

Always true: supplied = stock + units of live ordinary orders; of a sale, stock = remaining + units of its live orders.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.mysql import BIGINT, DATETIME

from services.common.tables import NOW, barrier_table, big_number, business_table, number, schema

metadata = schema()

stock = business_table(
    "stock",
    metadata,
    big_number("product_id", unique=True),
    number("stock", default=None),
    Column("supplied", BIGINT, nullable=False),  # units ever put in
)

flash_sale = business_table(
    "flash_sale",
    metadata,
    big_number("product_id"),
    number("stock", default=None),  # the allotment
    number("remaining", default=None),
    number("limit_per_user"),  # 0: none
    Column("opened_at", DATETIME(fsp=3), nullable=False, server_default=text(NOW)),
    Index(None, "product_id"),
)

barrier = barrier_table(metadata)
