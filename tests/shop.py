"""Shop: clients of a running stack, as tests use them: REST, gRPC, branch calls, rows, Kafka and Redis.

Every test makes its own users and products from random numbers, so that no two tests share a row.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import redis.asyncio
import sqlalchemy as sa
from google.protobuf.message_factory import GetMessageClass
from sqlalchemy.ext.asyncio import create_async_engine

from dev.stack import Stack
from services.common import flow
from services.common.pb.eshop.coupon.v1 import branches_pb2 as coupon_branches
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.flash_sale.v1 import branches_pb2 as flash_sale_branches
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import branches_pb2 as order_branches
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.pay.v1 import branches_pb2 as pay_branches
from services.common.pb.eshop.pay.v1 import pay_pb2
from services.common.pb.eshop.product.v1 import product_pb2
from services.common.pb.eshop.stock.v1 import branches_pb2 as stock_branches
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.common.pb.eshop.user.v1 import user_pb2

# Every gRPC service of the shop by its full name.
SERVICES = {
    service.full_name: service
    for file in (
        user_pb2, product_pb2, order_pb2, stock_pb2, coupon_pb2, pay_pb2, flash_sale_pb2,
        order_branches, stock_branches, coupon_branches, pay_branches, flash_sale_branches,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
}  # fmt: skip

PLACED, CANCELLED = 1, 5


@dataclass(frozen=True)
class Answer:
    """A REST answer; `status` 0 means that none came."""

    status: int
    code: int = 0
    message: str = ""
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)  # by name in any case


def new_number() -> int:
    """For a user or a product that no other test has."""
    return random.randrange(10**9, 2**52)


def purchase(user: int, product: int, count: int = 1, amount: int = 100, coupon: int = 0) -> dict[str, int]:
    """The body of a submit."""
    return {"userID": user, "productID": product, "productCount": count, "amount": amount, "couponID": coupon}


class Shop:
    """A stack's shop. Errors of the shop are answers, not exceptions."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._channels: dict[str, grpc.aio.Channel] = {}
        account = stack.mysql("reader")
        url = sa.URL.create("mysql+asyncmy", account.user, account.password, account.host, account.port)
        self._engine = create_async_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._http: aiohttp.ClientSession | None = None
        self.branch_calls: list[tuple[flow.Branch, Any, str]] = []
        server = stack.redis()
        self.redis = redis.asyncio.Redis(host=server.host, port=server.port, password=server.password)

    async def close(self) -> None:
        await self._engine.dispose()
        await self.redis.aclose()
        for channel in self._channels.values():
            await channel.close()
        if self._http:
            await self._http.close()

    # REST

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=1000)
            self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30))
        return self._http

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", service: str = "gateway", raw: bytes = b""
    ) -> Answer:
        """One request to a service's REST side, under /api/v1; `raw` is sent as it is."""
        headers = {"Idempotency-Key": key} if key else {}
        content: dict[str, Any] = {"data": raw} if raw else {"json": body} if body is not None else {}
        try:
            async with self.http.request(
                method, f"{self.stack.url(service)}/api/v1{path}", headers=headers, **content
            ) as response:
                envelope = await response.json()
                return Answer(response.status, envelope["code"], envelope["msg"], envelope["data"], response.headers)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            return Answer(0, message=repr(error))

    async def get(self, path: str, *, service: str = "gateway") -> Answer:
        return await self.call("GET", path, service=service)

    async def post(self, path: str, body: Any, *, key: str = "", service: str = "gateway") -> Answer:
        return await self.call("POST", path, body, key=key, service=service)

    async def submit(self, body: Any, *, key: str = "") -> Answer:
        return await self.post("/order/submit", body, key=key)

    async def send(self, body: Any, *, key: str = "") -> Answer:
        return await self.post("/order/sendSubmitNotify", body, key=key)

    async def buy(self, user: int, product: int, amount: int = 100, *, key: str = "") -> Answer:
        return await self.post("/flashSale", {"userID": user, "productID": product, "amount": amount}, key=key)

    # Things to buy and to pay with

    async def product(self, stock: int) -> int:
        """A product with that ordinary stock."""
        product = new_number()
        assert (await self.post("/stock", {"productID": product, "stock": stock})).status == 200
        return product

    async def flash_sale(self, stock: int, limit: int = 0, product: int = 0) -> int:
        """A product with an open flash sale."""
        product = product or new_number()
        body = {"productID": product, "stock": stock, "limitPerUser": limit}
        assert (await self.post("/stock/setFlashSale", body)).status == 200
        return product

    async def coupon(self, user: int, amount: int = 10, **fields: Any) -> int:
        answer = await self.post("/coupon", {"userID": user, "amount": amount, **fields})
        assert answer.status == 200, answer
        return int(answer.data["id"])

    # What became of it

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """The order as the gateway shows it; None when there is none."""
        answer = await self.get(f"/order/{order_id}")
        assert answer.status in (200, 404), answer
        return answer.data if answer.status == 200 else None

    async def settled(self, order_id: str, timeout: float = 30) -> dict[str, Any]:
        """The order, once it has a row: a row is final."""
        return await eventually(lambda: self.order(order_id), timeout)

    async def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of any schema, as the reader's account sees them."""
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(sa.text(statement), values)).mappings()]

    async def stock_left(self, product: int) -> int:
        [row] = await self.rows("SELECT stock FROM eshop_stock.stock WHERE product_id = :product", product=product)
        return int(row["stock"])

    async def sale_left(self, product: int) -> int:
        """What the newest sale's row has left."""
        statement = "SELECT remaining FROM eshop_stock.flash_sale WHERE product_id = :product ORDER BY id DESC LIMIT 1"
        return int((await self.rows(statement, product=product))[0]["remaining"])

    async def orders_of(self, product: int) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM eshop_order.order_record WHERE product_id = :product", product=product)

    async def payments_of(self, *order_ids: str) -> list[dict[str, Any]]:
        found = [
            await self.rows("SELECT * FROM eshop_pay.pay WHERE order_id = :order_id", order_id=order_id)
            for order_id in order_ids
        ]
        return [row for rows in found for row in rows]

    async def coupon_row(self, coupon: int) -> dict[str, Any]:
        [row] = await self.rows("SELECT * FROM eshop_coupon.coupon WHERE id = :coupon", coupon=coupon)
        return row

    # gRPC

    def channel(self, service: str) -> grpc.aio.Channel:
        if service not in self._channels:
            self._channels[service] = grpc.aio.insecure_channel(self.stack.address(service, "grpc"))
        return self._channels[service]

    async def branch(
        self, branch: flow.Branch, request: Any, *, gid: str, op: str = "action", branch_id: str = "01"
    ) -> Any:
        """Calls a branch as DTM would; raises grpc.aio.AioRpcError."""
        if op == "action" and 0 < len(gid) <= 128:
            self.branch_calls.append((branch, request, gid))
        path = branch.action if op == "action" else branch.compensation
        service, _, name = path.partition("/")
        method = SERVICES[service].methods_by_name[name]
        call = self.channel(branch.service).unary_unary(
            f"/{path}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        metadata = (("dtm-trans_type", "saga"), ("dtm-gid", gid), ("dtm-branch_id", branch_id), ("dtm-op", op))
        return await call(request, metadata=metadata, timeout=10)


def new_gid() -> str:
    return f"test-{secrets.token_hex(8)}"


async def eventually(ask: Any, timeout: float = 20, pause: float = 0.1) -> Any:
    """The first true answer of the coroutine function `ask`; fails when none comes in time."""
    deadline = time.monotonic() + timeout
    while not (found := await ask()):
        assert time.monotonic() < deadline, f"still {found!r} after {timeout:.0f} s"
        await asyncio.sleep(pause)
    return found


async def kafka_drained(kafka: Any, timeout: float = 60) -> None:
    """Returns when every order that Kafka has was handled and its offset committed."""

    async def drained() -> bool:
        return await asyncio.to_thread(kafka.lag) == 0

    await eventually(drained, timeout)
