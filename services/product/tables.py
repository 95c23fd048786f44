"""Tables of the schema eshop_product: what can be bought."""

from __future__ import annotations

from services.common.tables import business_table, number, schema, string

metadata = schema()

product = business_table(
    "product",
    metadata,
    string("name", 100, default=None),
    number("price", default=None),  # cents
    string("photo", 200),  # URL
    string("description", 2000),
)
