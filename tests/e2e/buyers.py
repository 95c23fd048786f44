"""Buyers: a crowd that orders through the gateway and writes down every answer it gets, whatever crashes meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dev.invariants import Answers
from services.common.ids import derived_id
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from tests.shop import Answer, Shop

SUBMIT, SEND = (
    order_pb2.DESCRIPTOR.services_by_name["OrderService"].methods_by_name[name]
    for name in ("Submit", "SendSubmitNotify")
)
BUY = flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"].methods_by_name["Buy"]
PATHS = {SUBMIT: "/order/submit", SEND: "/order/sendSubmitNotify", BUY: "/flashSale"}


@dataclass(frozen=True)
class Request:
    """One wish of one buyer; it has an Idempotency-Key of its own, so that it may be repeated."""

    method: Any
    body: dict[str, int]
    key: str

    @property
    def order_id(self) -> str:
        """The order id that the shop derives from the key."""
        scope = ("userID", "productID") if self.method is BUY else ("userID",)
        return derived_id(self.method.full_name, *(str(self.body[name]) for name in scope), self.key)


_keys = itertools.count()


def request(method: Any, body: dict[str, int]) -> Request:
    return Request(method, body, f"key-{next(_keys)}-{random.randrange(2**32)}")


@dataclass
class Buyers:
    """`unknown` are requests that got no clear answer, however often they were repeated."""

    shop: Shop
    answers: Answers = field(default_factory=Answers)
    statuses: Counter[int] = field(default_factory=Counter)
    unknown: list[Request] = field(default_factory=list)
    surprises: list[tuple[Request, Answer]] = field(default_factory=list)

    async def run(self, requests: Iterable[Request], *, at_once: int, pause: float = 0.0, tries: int = 40) -> None:
        """Sends all requests, `at_once` at a time; what fails without an answer is repeated with the same key."""
        waiting = iter(requests)

        async def buyer() -> None:
            for one in waiting:
                await self._insist(one, tries)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))

        await asyncio.gather(*(buyer() for _ in range(at_once)))

    async def _insist(self, one: Request, tries: int) -> None:
        for attempt in range(tries):
            answer = await self.shop.post(PATHS[one.method], one.body, key=one.key)
            self.statuses[answer.status] += 1
            if self._noted(one, answer):
                return
            await asyncio.sleep(min(0.1 * 2**attempt, 1.0) * random.uniform(0.5, 1.5))
        self.unknown.append(one)

    def _noted(self, one: Request, answer: Answer) -> bool:
        """Whether the answer is clear; then it is held against the rows later."""
        if answer.status == 200:
            kept = self.answers.placed if one.method is SUBMIT else self.answers.accepted
            kept.add(answer.data["orderID"])
            if answer.data["orderID"] != one.order_id:
                self.surprises.append((one, answer))
        elif answer.status == 409:
            self.answers.refused.add(one.order_id)
        elif answer.status < 500 and answer.status:
            self.surprises.append((one, answer))
        else:
            return False
        return True


async def during(load: Awaitable[None], *acts: Callable[[], None], after: float) -> None:
    """Runs the load, and in its middle the blocking `acts`, one after the other, each `after` seconds later."""
    loading = asyncio.ensure_future(load)
    try:
        for act in acts:
            await asyncio.sleep(after)
            assert not loading.done(), "the load was over before the fault"
            await asyncio.to_thread(act)
        await loading
    finally:
        loading.cancel()
