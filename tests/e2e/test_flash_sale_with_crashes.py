"""The sale of the season: far more buyers than units, and the services behind it crash twice while it lasts."""

from __future__ import annotations

import random
from collections import Counter

from services.common import flow
from tests.e2e.buyers import BUY, Buyers, during, request
from tests.promises import assert_promises
from tests.shop import PLACED, new_number

UNITS, USERS, REQUESTS = 1_000, 3_000, 5_000


async def test_every_unit_is_sold_once(shop, stack):
    product, first_user = await shop.flash_sale(UNITS, limit=1), new_number()
    users = [first_user + number for number in range(USERS)]
    # Every user once, many a second time.
    wanted = users + random.choices(users, k=REQUESTS - USERS)
    random.shuffle(wanted)
    buyers = Buyers(shop)
    requests = [request(BUY, {"userID": user, "productID": product, "amount": 100}) for user in wanted]

    sold = []

    def crash():
        stack.kill("order", "flash_sale")
        sold.append(len(buyers.answers.accepted))
        stack.start("order", "flash_sale")
        stack.wait_ready("order", "flash_sale")

    await during(buyers.run(requests, at_once=200, pause=0.3), crash, crash, after=0.3)
    assert 0 < sold[0] < sold[1] < UNITS  # both crashes hit the middle of the sale
    assert buyers.surprises == []
    assert buyers.unknown == []
    await assert_promises(stack, buyers.answers)

    orders = await shop.orders_of(product)
    assert {order["status"] for order in orders} == {PLACED}
    assert len(orders) == len(buyers.answers.accepted) == UNITS
    assert max(Counter(order["user_id"] for order in orders).values()) == 1
    assert {order["order_id"] for order in orders} == buyers.answers.accepted
    assert await shop.sale_left(product) == 0
    sale = int(await shop.redis.get(flow.flash_pointer(product)))
    assert await shop.redis.get(flow.flash_stock(product, sale)) == b"0"
