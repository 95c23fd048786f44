"""Promises that the rows of all schemas keep with each other. Deleted rows count: `deleted_at` only hides them.

Each query gives the rows that break its promise; an order lives unless its status is 5, cancelled. All run in one
snapshot, as the reader's account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pymysql

from dev.invariants.answers import Answers
from dev.invariants.result import Result
from dev.invariants.stores import Stores

if TYPE_CHECKING:
    Connection = pymysql.Connection[pymysql.cursors.DictCursor]


# promise: (what is counted, what breaks it)
_PROMISES = {
    "stock supplied = stock left + units of live orders": (
        "SELECT COUNT(*) FROM eshop_stock.stock",
        """
        WITH orders AS (
            SELECT product_id, SUM(product_count) AS sold FROM eshop_order.order_record
            WHERE status <> 5 AND sale_id = 0 GROUP BY product_id
        )
        SELECT product_id AS product, supplied, stock AS remaining, COALESCE(sold, 0) AS sold
        FROM eshop_stock.stock LEFT JOIN orders USING (product_id)
        WHERE stock < 0 OR supplied <> stock + COALESCE(sold, 0)
        UNION ALL
        SELECT product_id, NULL, NULL, sold FROM orders
        WHERE product_id NOT IN (SELECT product_id FROM eshop_stock.stock)
        """,
    ),
    "allotment of a sale = remaining + units of live orders": (
        "SELECT COUNT(*) FROM eshop_stock.flash_sale",
        """
        WITH orders AS (
            SELECT sale_id, product_id, SUM(product_count) AS sold FROM eshop_order.order_record
            WHERE status <> 5 AND sale_id <> 0 GROUP BY sale_id, product_id
        )
        SELECT id AS sale, sale.product_id AS product, stock, remaining, COALESCE(sold, 0) AS sold
        FROM eshop_stock.flash_sale AS sale LEFT JOIN orders ON sale_id = id AND orders.product_id = sale.product_id
        WHERE remaining < 0 OR stock <> remaining + COALESCE(sold, 0)
        UNION ALL
        SELECT sale_id, product_id, NULL, NULL, sold FROM orders
        WHERE (sale_id, product_id) NOT IN (SELECT id, product_id FROM eshop_stock.flash_sale)
        """,
    ),
    "every order id has one row, with a final outcome": (
        "SELECT COUNT(*) FROM eshop_order.order_record",
        """
        SELECT order_id AS order_, COUNT(*) AS times, NULL AS status, NULL AS reason
        FROM eshop_order.order_record GROUP BY order_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT order_id, 1, status, reason FROM eshop_order.order_record
        WHERE status NOT BETWEEN 1 AND 5 OR (status = 5) <> (gid = '') OR (status = 5) <> (reason <> '')
        """,
    ),
    "every live order has one payment of its amount": (
        "SELECT COUNT(*) FROM eshop_order.order_record WHERE status <> 5",
        """
        WITH payments AS (
            SELECT order_id, gid, COUNT(*) AS payments, MIN(amount) AS paid, MIN(user_id) AS payer
            FROM eshop_pay.pay WHERE gid <> '' GROUP BY order_id, gid
        )
        SELECT orders.order_id AS order_, amount, COALESCE(payments, 0) AS payments, paid, user_id AS user, payer
        FROM eshop_order.order_record AS orders
        LEFT JOIN payments ON payments.order_id = orders.order_id AND payments.gid = orders.gid
        WHERE status <> 5 AND (COALESCE(payments, 0) <> 1 OR paid <> amount OR payer <> user_id)
        """,
    ),
    "every payment of a saga has its live order": (
        "SELECT COUNT(*) FROM eshop_pay.pay WHERE gid <> ''",
        """
        SELECT pay.order_id AS order_, pay.gid AS gid, pay.amount AS paid
        FROM eshop_pay.pay LEFT JOIN eshop_order.order_record AS orders
            ON orders.order_id = pay.order_id AND orders.gid = pay.gid AND orders.status <> 5
        WHERE pay.gid <> '' AND orders.id IS NULL
        """,
    ),
    "every used coupon has its live order": (
        "SELECT COUNT(*) FROM eshop_coupon.coupon WHERE status = 2",
        """
        SELECT coupon.id AS coupon, coupon.status AS status, coupon.order_id AS order_
        FROM eshop_coupon.coupon LEFT JOIN eshop_order.order_record AS orders
            ON orders.order_id = coupon.order_id AND orders.coupon_id = coupon.id
            AND orders.user_id = coupon.user_id AND orders.status <> 5
        WHERE (coupon.status = 2 AND orders.id IS NULL) OR (coupon.status <> 2 AND coupon.order_id <> '')
        """,
    ),
    "every live order with a coupon has used it": (
        "SELECT COUNT(*) FROM eshop_order.order_record WHERE status <> 5 AND coupon_id <> 0",
        """
        SELECT orders.order_id AS order_, orders.coupon_id AS coupon, coupon.order_id AS used_by
        FROM eshop_order.order_record AS orders LEFT JOIN eshop_coupon.coupon
            ON coupon.id = orders.coupon_id AND coupon.order_id = orders.order_id AND coupon.status = 2
        WHERE orders.status <> 5 AND orders.coupon_id <> 0 AND coupon.id IS NULL
        """,
    ),
    "no user has orders beyond a sale's limit": (
        "SELECT COUNT(*) FROM eshop_stock.flash_sale WHERE limit_per_user > 0",
        """
        SELECT sale_id AS sale, user_id AS user, SUM(product_count) AS units, limit_per_user AS allowed
        FROM eshop_order.order_record JOIN eshop_stock.flash_sale AS sale ON sale.id = sale_id
        WHERE status <> 5 AND limit_per_user > 0
        GROUP BY sale_id, user_id, limit_per_user HAVING units > limit_per_user
        """,
    ),
}
_MOVED = """
SELECT (SELECT COUNT(*) FROM eshop_order.order_record), (SELECT COALESCE(MAX(id), 0) FROM eshop_order.order_record),
    (SELECT COALESCE(SUM(supplied), 0) FROM eshop_stock.stock), (SELECT COUNT(*) FROM eshop_stock.flash_sale)
"""
_AT_ONCE = 1000


def connect(stores: Stores) -> Connection:
    """One snapshot of all schemas."""
    connection = pymysql.connect(
        host=stores.mysql_host,
        port=stores.mysql_port,
        user=stores.mysql_user,
        password=stores.mysql_password.get_secret_value(),
        charset="utf8mb4",
        connect_timeout=10,
        read_timeout=300,
        cursorclass=pymysql.cursors.DictCursor,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    return connection


def fingerprint(stores: Stores) -> tuple[Any, ...]:
    """Changes whenever an order, stock or sale came in."""
    connection = connect(stores)
    try:
        return tuple(rows(connection, _MOVED)[0].values())
    finally:
        connection.close()


def check_rows(connection: Connection) -> list[Result]:
    return [
        Result(promise, scalar(connection, count), [_words(row) for row in rows(connection, broken)])
        for promise, (count, broken) in _PROMISES.items()
    ]


def check_answers(connection: Connection, answers: Answers) -> Iterator[Result]:
    """What buyers were told, against the rows; promises about answers that nobody got are left out."""
    live, recorded = " AND status <> 5", ""
    for promise, ids, condition, expected in (
        ("an order answered with 200 is live", answers.placed, live, True),
        ("a buffered order or purchase answered with 200 has its row", answers.accepted, recorded, True),
        ("an order answered with 409 does not live", answers.refused, live, False),
    ):
        if ids:
            found = existing(connection, ids, condition)
            broken = sorted(ids - found if expected else ids & found)
            yield Result(promise, len(ids), [f"order {order_id}" for order_id in broken])


def existing(connection: Connection, ids: Iterable[str], condition: str = "", *values: object) -> set[str]:
    """Those of the order ids that have a row which fulfils the condition (SQL behind the where, with its values)."""
    found: set[str] = set()
    waiting = list(ids)
    for start in range(0, len(waiting), _AT_ONCE):
        chunk = waiting[start : start + _AT_ONCE]
        marks = ", ".join(["%s"] * len(chunk))
        query = f"SELECT order_id FROM eshop_order.order_record WHERE order_id IN ({marks}){condition}"  # noqa: S608
        found.update(row["order_id"] for row in rows(connection, query, (*chunk, *values)))
    return found


def rows(connection: Connection, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, tuple(values) or None)
        return list(cursor.fetchall())


def scalar(connection: Connection, query: str) -> int:
    [value] = rows(connection, query)[0].values()
    return int(value)


def _words(row: dict[str, Any]) -> str:
    """`product 7, supplied 100, remaining 40, sold 61`."""
    return ", ".join(f"{name.replace('_', ' ').strip()} {value}" for name, value in row.items() if value is not None)
