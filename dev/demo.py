"""The shop's day, played through the gateway: `python -m dev.demo`, which is `make demo`.

Starts the local stack where it does not run, plays users, orders and a flash sale, prints what was expected beside what
happened, then the invariants and where to look on. Every run uses names of its own; exit code 1 if anything differs.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from dev.__main__ import Progress, console
from dev.errors import StackError
from dev.gateway_client import Answer, Gateway
from dev.invariants import Result, check
from dev.invariants.stores import of_stack
from dev.stack import PROCESSES, Stack

BUYERS, UNITS = 200, 50
PATIENCE = 30.0  # seconds for an order to come through Kafka
TO_PAY, CANCELLED = 1, 5
WIDTH = 160


@dataclass
class Day:
    """What was done, expected and seen, row by row."""

    gateway: Gateway
    name: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def see(self, what: str, expected: str, actual: object) -> None:
        self.rows.append((what, expected, str(actual)))

    def create(self, what: str, path: str, body: dict[str, Any]) -> int:
        """Its id; 0 where the shop refused."""
        answer = self.gateway.post(path, body)
        self.see(what, "200 ok", answer)
        return int(answer.data.get("id", 0))

    def outcome(self, order_id: str) -> str:
        """The order's status in words, as soon as it has one."""
        deadline = time.monotonic() + PATIENCE
        while (answer := self.gateway.get(f"order/{order_id}")).status == 404 and time.monotonic() < deadline:
            time.sleep(0.1)
        if answer.status != 200:
            return str(answer)
        status, reason = answer.data["status"], answer.data["reason"]
        return {TO_PAY: "to pay", CANCELLED: f"cancelled: {reason}"}.get(status, f"status {status}")

    def stock(self, product: int) -> int:
        """Units left, from the gateway's list."""
        page = 0
        while rows := self.gateway.get(f"stock/list?page={page}&limit=100&sort=-id").data.get("list"):
            for row in rows:
                if row["productID"] == product:
                    return int(row["stock"])
            page += 1
        return -1


def play(day: Day, progress: Callable[[str], None]) -> None:
    """The whole day."""
    progress("users, a product, its stock, a coupon")
    ada = day.create("Ada registers", "user", _user(day, "ada"))
    grace = day.create("Grace registers", "user", _user(day, "grace"))
    again = day.gateway.post("user", _user(day, "ada"))
    day.see("Ada's e-mail address registers again", "409 40905", f"{again.status} {again.code}")
    product = day.create("a mug of 19.00 arrives", "product", {"name": f"mug {day.name}", "price": 1900})
    day.create("10 mugs are put in", "stock", {"productID": product, "stock": 10})
    coupon = day.create("Ada gets a coupon of 3.00", "coupon", {"userID": ada, "amount": 300})
    _orders(day, progress, product, (ada, grace), coupon)
    _flash_sale(day, progress, product, ada)


def _orders(day: Day, progress: Callable[[str], None], product: int, users: tuple[int, int], coupon: int) -> None:
    ada, grace = users

    def order(user: int, count: int = 1, coupon_id: int = 0, path: str = "submit", key: str = "") -> Answer:
        body = {"userID": user, "productID": product, "productCount": count, "amount": 1900 * count}
        return day.gateway.post(f"order/{path}", {**body, "couponID": coupon_id}, key)

    progress("orders, some of which must fail")
    placed = order(ada, coupon_id=coupon)
    day.see("Ada orders a mug with her coupon", "200 ok", placed)
    day.see("… her order", "to pay", day.outcome(placed.data.get("orderID", "none")))
    used = f"409 40903 coupon {coupon} is used"
    day.see("Ada orders with the coupon again", used, order(ada, coupon_id=coupon))
    day.see("Grace orders with Ada's coupon", f"409 40903 coupon {coupon} is another user's", order(grace, 1, coupon))
    day.see("Grace orders 100 mugs", f"409 40902 product {product} has 9 units left", order(grace, 100))
    first, second = (order(grace, key=f"{day.name}-basket") for _ in range(2))
    day.see("Grace orders a mug, twice with one Idempotency-Key", "200 ok, 200 ok", f"{first}, {second}")
    same = first.data.get("orderID") == second.data.get("orderID")
    day.see("… her orders", "one", "one" if same else "two")

    progress("buffered orders, through Kafka")
    buffered = order(ada, path="sendSubmitNotify")
    day.see("Ada sends a buffered order", "200 ok", buffered)
    day.see("… a moment later", "to pay", day.outcome(buffered.data.get("orderID", "none")))
    hopeless = order(grace, 100, path="sendSubmitNotify")
    day.see("Grace sends a buffered order of 100 mugs", "200 ok", hopeless)
    reason = f"cancelled: [40902] product {product} has fewer than 100 units left"
    day.see("… a moment later", reason, day.outcome(hopeless.data.get("orderID", "none")))
    day.see("mugs left", "7", day.stock(product))


def _flash_sale(day: Day, progress: Callable[[str], None], product: int, ada: int) -> None:
    progress(f"a flash sale of {UNITS} units for {BUYERS} buyers")

    def open_sale(units: int) -> Answer:
        return day.gateway.post("stock/setFlashSale", {"productID": product, "stock": units, "limitPerUser": 1})

    def buy(user: int) -> Answer:
        return day.gateway.post("flashSale", {"userID": user, "productID": product, "amount": 900})

    day.see("a flash sale of 2 mugs opens, one per user", "200 ok", open_sale(2))
    day.see("Ada buys one", "200 ok", buy(ada))
    day.see("Ada buys another", f"409 40904 user {ada} has bought as much as this sale allows", buy(ada))
    day.see(f"a flash sale of {UNITS} mugs opens, one per user", "200 ok", open_sale(UNITS))
    with ThreadPoolExecutor(BUYERS) as crowd:
        answers = list(crowd.map(buy, range(ada, ada + BUYERS)))
    count = Counter(answer.code for answer in answers)
    seen = f"{count.pop(0, 0)} bought, {count.pop(40901, 0)} sold out"
    others = "".join(f", {number} {code}" for code, number in count.items())
    day.see(f"{BUYERS} buyers at once", f"{UNITS} bought, {BUYERS - UNITS} sold out", seen + others)
    orders = {answer.data["orderID"] for answer in answers if answer.status == 200}
    live = sum(day.outcome(order_id) == "to pay" for order_id in orders)
    day.see("… their orders", f"{UNITS} to pay", f"{live} to pay")
    day.see("one more buyer", f"409 40901 product {product} is sold out", buy(ada + BUYERS))
    day.see("mugs left besides the sales", "7", day.stock(product))


def _user(day: Day, name: str) -> dict[str, Any]:
    return {"name": name, "password": f"{day.name}-{name}-secret", "email": f"{name}.{day.name}@example.org"}


def _show(day: Day, results: list[Result]) -> bool:
    """Prints rows and invariants; whether all is as it should be."""
    table = Table(title="The shop's day", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("what happens", "expected", "seen", ""):
        table.add_column(column)
    for what, expected, seen in day.rows:
        table.add_row(what, expected, seen, "[green]ok" if expected == seen else "[bold red]differs")
    promises = Table(title="The invariants", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, justify in (("promise", "left"), ("checked", "right"), ("", "left")):
        promises.add_column(column, justify=justify)  # type: ignore[arg-type]
    for result in results:
        promises.add_row(result.promise, f"{result.checked:,}", "[green]ok" if result.holds else "[bold red]broken")
        for text in result.broken[:3]:
            promises.add_row(f"  {text}")
    wide = console if console.is_terminal else Console(width=WIDTH, highlight=False)  # a log file wraps no lines
    wide.print(table, promises, sep="\n")
    return all(expected == seen for _, expected, seen in day.rows) and all(result.holds for result in results)


def _look_on(stack: Stack) -> None:
    url = stack.url("gateway")
    console.print(f"""The shop goes on running:
  gateway   {url}/apis/swagger/index.html
  orders    {url}/api/v1/order/list?page=0&limit=10&sort=-id
  order     {stack.url("order")}/apis/swagger/index.html   (make status lists the others)
  metrics   {url}/metrics
  logs      make logs S=order
  stop      make down""")


def main() -> None:
    try:
        with Progress() as progress:
            stack = Stack(report=progress)
            if not all(stack.ready(name) for name in PROCESSES):
                stack.up()
            day = Day(Gateway(stack.url("gateway")), f"{time.time_ns() // 1_000_000:x}")
            play(day, progress)
            progress("the invariants")
            results = check(of_stack(stack), timeout=120, report=progress)
    except (StackError, OSError) as error:
        sys.exit(f"the demo stopped: {error}")
    good = _show(day, results)
    _look_on(stack)
    sys.exit(not good)


if __name__ == "__main__":
    main()
