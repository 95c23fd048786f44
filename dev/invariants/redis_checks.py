"""Promises that a flash sale's keys in Redis keep with its rows in MySQL.

Redis forgets a sale a week after the next one of its product has opened; the current one it must know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from dev.invariants.mysql_checks import existing, rows
from dev.invariants.result import Result
from dev.invariants.stores import Stores
from services.common import flow

if TYPE_CHECKING:
    from dev.invariants.mysql_checks import Connection

_SALES = "SELECT id, product_id, stock, remaining, limit_per_user FROM eshop_stock.flash_sale ORDER BY id"
_AT_ONCE = 1000


@dataclass
class _Broken:
    """What breaks each promise."""

    stock: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)


def check_sales(stores: Stores, connection: Connection) -> list[Result]:
    """Units, buyers and accepted orders of every sale that Redis knows."""
    sales = rows(connection, _SALES)
    newest = {sale["product_id"]: sale["id"] for sale in sales}
    broken = _Broken()
    known = accepted = 0
    client: Any = redis.Redis(
        host=stores.redis_host,
        port=stores.redis_port,
        password=stores.redis_password.get_secret_value() or None,
        decode_responses=True,
        socket_timeout=30,
    )
    with closing(client):
        for sale in sales:
            product, sale_id, name = (
                sale["product_id"],
                sale["id"],
                f"sale {sale['id']} of product {sale['product_id']}",
            )
            left = client.get(flow.flash_stock(product, sale_id))
            if left is None:
                # A sale that Redis never heard of has sold nothing.
                if newest[product] == sale_id and sale["remaining"] != sale["stock"]:
                    broken.stock.append(
                        f"{name}: {sale['stock'] - sale['remaining']} units sold, and Redis knows nothing"
                    )
                continue
            known += 1
            if int(left) < 0 or int(left) != sale["remaining"]:
                broken.stock.append(f"{name}: {left} units left in Redis, {sale['remaining']} in MySQL")
            broken.limits += _buyers(client, sale, sale["stock"] - int(left), name)
            for ids in _chunks(client, flow.flash_orders(product, sale_id)):
                accepted += len(ids)
                missing = ids - existing(connection, ids, " AND sale_id = %s", sale_id)
                broken.orders += [f"{name}: order {order_id}" for order_id in sorted(missing)]
    return [
        Result("units of a sale in Redis = units in MySQL", known, broken.stock),
        Result("no buyer in Redis is beyond a sale's limit", known, broken.limits),
        Result("every order that a sale accepted has its row", accepted, broken.orders),
    ]


def _buyers(client: Any, sale: dict[str, Any], sold: int, name: str) -> Iterator[str]:
    units = total = 0
    limit = sale["limit_per_user"]
    for user, text in client.hscan_iter(flow.flash_buyers(sale["product_id"], sale["id"]), count=_AT_ONCE):
        units = int(text)
        total += units
        if limit and units > limit:
            yield f"{name}: user {user} has {units} of {limit} units"
    if total != sold:
        yield f"{name}: buyers hold {total} units, {sold} were taken"


def _chunks(client: Any, key: str) -> Iterator[set[str]]:
    """The members of a set, some at a time."""
    chunk: set[str] = set()
    for member in client.sscan_iter(key, count=_AT_ONCE):
        chunk.add(member)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = set()
    if chunk:
        yield chunk
