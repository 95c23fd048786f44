"""Fills the shop with the goods and people of shop.json, through the gateway: `python -m db.seed`. Safe to repeat.

ESHOP_GATEWAY (host:port, default 127.0.0.1:8080) says where the gateway is. What is there already stays as it is.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

GATEWAY = os.environ.get("ESHOP_GATEWAY", "127.0.0.1:8080")
ROWS = Path(__file__).with_name("shop.json")
Row = dict[str, Any]


def seed() -> dict[str, int]:
    """Creates what is missing; returns how many rows were made by kind."""
    rows: dict[str, list[Row]] = json.loads(ROWS.read_text())
    made = {
        "user": _create("user", rows["user"], ("email",)),
        "product": _create("product", rows["product"], ("name",)),
    }
    products = {row["name"]: row["id"] for row in _present("product")}
    users = {row["email"]: row["id"] for row in _present("user")}
    stock = [{"productID": products[row["product"]], "stock": row["stock"]} for row in rows["stock"]]
    coupons = [{"userID": users[row["user"]], "amount": row["amount"]} for row in rows["coupon"]]
    return {
        **made,
        "stock": _create("stock", stock, ("productID",)),
        "coupon": _create("coupon", coupons, ("userID", "amount")),
    }


def _create(kind: str, rows: list[Row], key: tuple[str, ...]) -> int:
    """Posts the rows that the shop does not have; rows are the same when their `key` fields are."""
    present = [tuple(row[field] for field in key) for row in _present(kind)]
    missing = [row for row in rows if tuple(row[field] for field in key) not in present]
    for row in missing:
        _call(kind, row)
    return len(missing)


def _present(kind: str) -> list[Row]:
    """All rows of the shop, page by page."""
    found: list[Row] = []
    page = 0
    while rows := _call(f"{kind}/list?page={page}&limit=100&sort=id")["list"]:
        found += rows
        page += 1
    return found


def _call(path: str, body: Row | None = None) -> Row:
    request = urllib.request.Request(
        f"http://{GATEWAY}/api/v1/{path}",
        json.dumps(body).encode() if body else None,
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        data: Row = json.load(response)["data"]
        return data


def main() -> None:
    try:
        made = seed()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the gateway at {GATEWAY} refused: {error.read().decode(errors='replace')}") from None
    except OSError as error:
        raise SystemExit(f"no gateway at {GATEWAY}: {error}") from None
    sys.stdout.write(", ".join(f"{kind}: {count} new" for kind, count in made.items()) + "\n")


if __name__ == "__main__":
    main()
