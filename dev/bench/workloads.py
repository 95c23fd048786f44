"""The workloads of the bench and its longer scenarios. Each loads a product of its own and returns what it measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from kafka import KafkaProducer

from dev.bench import k6
from dev.bench.k6 import Figures
from dev.bench.measure import BACKLOG_SECONDS, Measurement, measure
from dev.errors import StackError
from dev.gateway_client import Gateway
from dev.invariants.backlog import Backlog
from dev.invariants.stores import of_stack
from dev.stack import Stack
from services.common import flow
from services.common.ids import new_id
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_QUEUE, NewOrder

PLENTY = 100_000_000


@dataclass(frozen=True)
class Settings:
    """`seconds` of each load; `orders` of the backlog; `minutes` of the mixed load at `rate` rounds a second."""

    seconds: int = 20
    orders: int = 100_000
    minutes: float = 10
    rate: int = 50


class Shop:
    """What a workload prepares, through the gateway."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.gateway = Gateway(stack.url("gateway"))

    def product(self, stock: int = 0, sale: int = 0) -> int:
        """A new product with that ordinary stock and an open sale of that many units."""
        product = self._create("product", {"name": f"bench {new_id()}", "price": 100})
        if stock:
            self._create("stock", {"productID": product, "stock": stock})
        if sale:
            self._create("stock/setFlashSale", {"productID": product, "stock": sale})
        return product

    def _create(self, path: str, body: dict[str, object]) -> int:
        answer = self.gateway.post(path, body)
        if answer.status != 200:
            raise StackError(f"{path}: {answer}")
        return int(answer.data.get("id") or 0)

    def load(
        self, script: str, product: int, vus: int, settings: Settings, more: Mapping[str, object], *options: str
    ) -> Figures:
        """One script against one product, without preparing anything itself; its thresholds on latency are off."""
        given = {"VUS": vus, "DURATION": f"{settings.seconds}s", "PRODUCT": product, "STOCK": 0, "P95": 600_000, **more}
        return k6.run(self.stack.url("gateway"), script, given, options)


def warm_up(shop: Shop) -> None:
    """Pools, code paths, and the JVM's compiler: the first requests of a process tell nothing of its speed."""
    product, short = shop.product(stock=PLENTY, sale=PLENTY), Settings(seconds=4)
    for script, mode in (("submitOrder", "submit"), ("submitOrder", "notify"), ("flashSale", "")):
        shop.load(script, product, 100, short, {"MODE": mode})


def submit_200(shop: Shop, settings: Settings) -> Measurement:
    return _submit(shop, settings, "submit, 200 VUs", 200, {})


def submit_1000(shop: Shop, settings: Settings) -> Measurement:
    return _submit(shop, settings, "submit, 1000 VUs", 1000, {})


def notify_200(shop: Shop, settings: Settings) -> Measurement:
    return _submit(shop, settings, "sendSubmitNotify, 200 VUs", 200, {"MODE": "notify"})


def _submit(shop: Shop, settings: Settings, name: str, vus: int, more: Mapping[str, object]) -> Measurement:
    product = shop.product(stock=PLENTY)
    return measure(shop.stack, name, lambda: shop.load("submitOrder", product, vus, settings, more))


def flash_sale(shop: Shop, settings: Settings) -> Measurement:
    """Orders are placed while the sale goes on, on the same cores."""
    product = shop.product(sale=PLENTY)
    return measure(shop.stack, "flash sale, 1000 VUs", lambda: shop.load("flashSale", product, 1000, settings, {}))


def flash_sale_alone(shop: Shop, settings: Settings) -> Measurement:
    """The sale by itself: the order service is down meanwhile and starts when it is over."""
    product = shop.product(sale=PLENTY)
    _settle(shop.stack)
    shop.stack.stop("order")
    try:
        return measure(
            shop.stack,
            "flash sale alone, 1000 VUs",
            lambda: shop.load("flashSale", product, 1000, settings, {}),
            lambda: shop.stack.start("order"),
            from_backlog=True,
        )
    finally:
        _run_orders(shop.stack)


def sold_out(shop: Shop, settings: Settings) -> Measurement:
    product = shop.product(sale=1)
    shop.gateway.post("flashSale", {"userID": 1, "productID": product, "amount": 100})
    return measure(
        shop.stack, "flash sale sold out, 1000 VUs", lambda: shop.load("flashSale", product, 1000, settings, {})
    )


def backlog(shop: Shop, settings: Settings) -> Measurement:
    """Orders that wait in Kafka when the order service starts: from its first to its last saga."""
    product = shop.product(stock=PLENTY)
    _settle(shop.stack)
    shop.stack.stop("order")
    try:
        _publish(shop.stack, product, settings.orders)
        name = f"backlog of {settings.orders:,} in Kafka"
        return measure(shop.stack, name, lambda: shop.stack.start("order"), from_backlog=True)
    finally:
        _run_orders(shop.stack)


def scarce(shop: Shop, settings: Settings) -> Measurement:
    """5,000 submits at 200 VUs for 500 units."""
    return _few(shop, settings, "5,000 submits for 500 units", 500)


def scarce_compared(shop: Shop, settings: Settings) -> Measurement:
    """The same submits with stock enough."""
    return _few(shop, settings, "5,000 submits, stock enough", PLENTY)


def _few(shop: Shop, settings: Settings, name: str, stock: int) -> Measurement:
    product = shop.product(stock=stock)
    options = ("--vus=200", "--iterations=5000")
    return measure(shop.stack, name, lambda: shop.load("submitOrder", product, 200, settings, {}, *options))


def mixed(shop: Shop, settings: Settings) -> Measurement:
    """Everything at once, steadily."""
    product = shop.product(stock=PLENTY, sale=PLENTY)
    more = {"DURATION": f"{settings.minutes * 60:.0f}s", "RATE": settings.rate}
    return measure(
        shop.stack, f"mixed, {settings.minutes:g} min", lambda: shop.load("mixed", product, 0, settings, more)
    )


def idle(shop: Shop, settings: Settings) -> Measurement:
    """Nobody comes."""
    return measure(shop.stack, f"idle, {settings.seconds} s", lambda: time.sleep(settings.seconds))


def _publish(stack: Stack, product: int, count: int) -> None:
    """Buffered orders, sent to Kafka past the gateway."""
    with closing(
        KafkaProducer(bootstrap_servers=stack.brokers.split(","), acks="all", linger_ms=20, batch_size=256 * 1024)
    ) as producer:
        for _ in range(count):
            order_id = new_id()
            order = NewOrder(
                order_id=order_id, user_id=1, product_id=product, product_count=1, amount=88, source=SOURCE_QUEUE
            )
            producer.send(flow.ORDER_SUBMITTED, key=order_id.encode(), value=order.SerializeToString())
        producer.flush()


def _settle(stack: Stack) -> None:
    """Waits for what earlier loads left."""
    with closing(Backlog(of_stack(stack))) as backlog:
        backlog.wait(time.monotonic() + BACKLOG_SECONDS, lambda step: None)


def _run_orders(stack: Stack) -> None:
    stack.start("order")
    stack.wait_ready("order", "gateway")


Workload = Callable[[Shop, Settings], Measurement]

STANDARD: dict[str, Workload] = {
    "submit-200": submit_200,
    "submit-1000": submit_1000,
    "notify-200": notify_200,
    "flash-sale": flash_sale,
    "flash-sale-alone": flash_sale_alone,
    "sold-out": sold_out,
}
SCENARIOS: dict[str, Workload] = {
    "backlog": backlog,
    "scarce": scarce,
    "scarce-compared": scarce_compared,
    "mixed": mixed,
    "idle": idle,
}
