"""The schemas of the shop: each has a history of its own in db/<name>/versions and a database of its own in MySQL."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# Database by history.
SCHEMAS = {
    "user": "eshop_user",
    "product": "eshop_product",
    "order": "eshop_order",
    "stock": "eshop_stock",
    "coupon": "eshop_coupon",
    "pay": "eshop_pay",
    "dtm": "dtm",
}
