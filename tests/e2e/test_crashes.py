"""kill -9 of every part in the middle of a load of some hundred orders: it comes back, and every promise is kept."""

from __future__ import annotations

import random

import pytest

from tests.e2e.buyers import BUY, SEND, SUBMIT, Buyers, during, request
from tests.promises import assert_promises
from tests.shop import new_number, purchase

VICTIMS = [
    ("order",),
    ("flash_sale",),
    ("coordinator-mysql",),
    ("coordinator-redis",),
    ("stock", "coupon", "pay"),
    ("gateway",),
    ("mysql",),
    ("redis",),
    ("kafka",),
    ("order", "flash_sale", "coordinator-mysql", "coordinator-redis"),
]


@pytest.mark.parametrize("victims", VICTIMS, ids="+".join)
async def test_a_crash_under_load(shop, stack, victims):
    requests = await mixed_requests(shop)
    buyers = Buyers(shop)

    def crash():
        stack.kill(*victims)

    def come_back():
        stack.start(*victims)
        stack.wait_ready()

    await during(buyers.run(requests, at_once=30, pause=0.1), crash, come_back, after=0.7)
    assert buyers.surprises == []
    assert buyers.unknown == []
    await assert_promises(stack, buyers.answers)
    assert len(buyers.answers.placed) > 100
    assert len(buyers.answers.accepted) > 200
    assert len(buyers.answers.refused) > 20


async def mixed_requests(shop):
    """600 orders: submits, buffered ones, a flash sale; some without stock, some with coupons, some beyond a limit."""
    plenty, scarce, sale = await shop.product(10_000), await shop.product(60), await shop.flash_sale(150, limit=1)
    users = [new_number() for _ in range(120)]
    coupons = [(user, await shop.coupon(user)) for user in users[:30]]
    requests = [request(BUY, {"userID": random.choice(users), "productID": sale, "amount": 88}) for _ in range(200)]
    for method in (SUBMIT, SEND):
        requests += [
            *(request(method, purchase(new_number(), plenty, count=random.randrange(1, 4))) for _ in range(130)),
            *(request(method, purchase(new_number(), scarce)) for _ in range(45)),
            *(request(method, purchase(user, plenty, coupon=coupon)) for user, coupon in coupons[:25]),
        ]
    random.shuffle(requests)
    return requests
