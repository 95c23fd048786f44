"""Flow C: units taken in Redis inside a two-phase message become orders; a repeated purchase takes no second unit."""

from __future__ import annotations

import asyncio
from collections import Counter

from services.common import flow
from services.common.ids import new_id
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2, flash_sale_pb2_grpc
from tests.shop import PLACED, eventually, kafka_drained, new_number


async def test_a_purchase_becomes_an_order(shop):
    user, product = new_number(), await shop.flash_sale(5)
    await shop.post("/stock", {"productID": product, "stock": 3})
    answer = await shop.buy(user, product, amount=88)
    assert (answer.status, answer.code, answer.message) == (200, 0, "ok")
    order = await shop.settled(answer.data["orderID"])
    assert (order["status"], order["source"], order["reason"]) == (PLACED, 3, "")
    assert (order["userID"], order["productID"], order["productCount"], order["amount"]) == (user, product, 1, 88)
    [sale] = await shop.rows("SELECT * FROM eshop_stock.flash_sale WHERE product_id = :product", product=product)
    assert (order["saleID"], sale["stock"], sale["remaining"]) == (sale["id"], 5, 4)
    assert await shop.stock_left(product) == 3  # the allotment is apart from the ordinary stock
    assert len(await shop.payments_of(order["orderID"])) == 1


async def test_sold_out(shop):
    product = await shop.flash_sale(3)
    answers = await asyncio.gather(*(shop.buy(new_number(), product) for _ in range(20)))
    assert Counter((answer.status, answer.code) for answer in answers) == {(200, 0): 3, (409, 40901): 17}
    assert {answer.message for answer in answers if answer.status == 409} == {f"product {product} is sold out"}
    assert await shop.redis.get(flow.flash_stock(product, await sale_id(shop, product))) == b"0"

    async def all_placed():
        return await shop.sale_left(product) == 0 and len(await shop.orders_of(product)) == 3

    await eventually(all_placed)


async def test_a_product_without_a_sale_is_sold_out(shop):
    answer = await shop.buy(new_number(), new_number())
    assert (answer.status, answer.code) == (409, 40901)


async def test_the_limit_per_user(shop):
    user, product = new_number(), await shop.flash_sale(10, limit=2)
    answers = [await shop.buy(user, product) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 409]
    assert answers[2].code == 40904
    assert answers[2].message == f"user {user} has bought as much as this sale allows"
    together = await asyncio.gather(*(shop.buy(user + 1, product) for _ in range(6)))
    assert Counter(answer.code for answer in together) == {0: 2, 40904: 4}
    assert (await shop.buy(user + 2, product)).status == 200


async def test_no_limit_unless_one_is_set(shop):
    """The original's load scripts buy as user 1 for ever."""
    user, product = new_number(), await shop.flash_sale(50)
    answers = await asyncio.gather(*(shop.buy(user, product) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.data["orderID"] for answer in answers}) == 50


async def test_a_new_sale_has_its_own_units_and_buyers(shop, kafka):
    user, product = new_number(), await shop.flash_sale(1, limit=1)
    first = await shop.buy(user, product)
    assert (await shop.buy(user + 1, product)).code == 40901
    await shop.flash_sale(2, limit=1, product=product)
    second = await shop.buy(user, product)
    assert (first.status, second.status) == (200, 200)
    assert (await shop.buy(user, product)).code == 40904
    await kafka_drained(kafka)
    orders = [await shop.settled(answer.data["orderID"]) for answer in (first, second)]
    assert [order["status"] for order in orders] == [PLACED, PLACED]
    sales = await shop.rows(
        "SELECT id, remaining FROM eshop_stock.flash_sale WHERE product_id = :product ORDER BY id", product=product
    )
    assert [(sale["id"], sale["remaining"]) for sale in sales] == [(orders[0]["saleID"], 0), (orders[1]["saleID"], 1)]


async def test_the_same_key_is_the_same_purchase(shop, kafka):
    user, product = new_number(), await shop.flash_sale(5, limit=2)
    answers = await asyncio.gather(*(shop.buy(user, product, key="once") for _ in range(8)))
    assert {(answer.status, answer.data["orderID"]) for answer in answers} == {(200, answers[0].data["orderID"])}
    await kafka_drained(kafka)
    await shop.settled(answers[0].data["orderID"])
    assert len(await shop.orders_of(product)) == 1
    assert await shop.sale_left(product) == 4


async def test_a_key_belongs_to_one_purchase(shop, kafka):
    """For another product it is another purchase, with an order of its own; for another amount it is refused."""
    user, products = new_number(), [await shop.flash_sale(5) for _ in range(2)]
    answers = [await shop.buy(user, product, amount=88, key="once") for product in products]
    assert [answer.status for answer in answers] == [200, 200]
    refused = await shop.buy(user, products[0], amount=87, key="once")
    assert (refused.status, refused.code) == (422, 42200)
    await kafka_drained(kafka)
    for product, answer in zip(products, answers, strict=True):
        order = await shop.settled(answer.data["orderID"])
        assert (order["status"], order["productID"], order["amount"]) == (PLACED, product, 88)
        assert await shop.redis.get(flow.flash_stock(product, await sale_id(shop, product))) == b"4"


async def test_the_same_key_after_the_sale_is_sold_out(shop):
    user, product = new_number(), await shop.flash_sale(2, limit=1)
    first = await shop.buy(user, product, key="once")
    await shop.buy(new_number(), product)
    refused = [await shop.buy(new_number(), product, key="late") for _ in range(2)]
    assert {answer.code for answer in refused} == {40901}
    again = await shop.buy(user, product, key="once")
    assert (again.status, again.data) == (200, first.data)


async def test_a_key_outlives_its_sale(shop, kafka):
    """A repeat of a purchase from the sale before is the same order, and no purchase from the current one."""
    user, product = new_number(), await shop.flash_sale(1)
    first = await shop.buy(user, product, key="once")
    await shop.flash_sale(5, product=product)
    again = await shop.buy(user, product, key="once")
    assert (again.status, again.data) == (200, first.data)
    await kafka_drained(kafka)
    assert await shop.sale_left(product) == 5


async def test_a_sale_that_is_opened_again_is_the_same_sale(shop):
    """Open may be repeated: units that were sold do not come back."""
    product = await shop.flash_sale(2)
    await shop.buy(new_number(), product)
    stub = flash_sale_pb2_grpc.FlashSaleServiceStub(shop.channel("flash_sale"))
    request = flash_sale_pb2.OpenRequest(product_id=product, sale_id=await sale_id(shop, product), stock=2)
    await stub.Open(request, timeout=5)
    answers = [await shop.buy(new_number(), product) for _ in range(2)]
    assert [answer.code for answer in answers] == [0, 40901]


async def test_batches_of_buyers_get_an_answer_each(shop):
    """BuyMany, as the gateway calls it: refusals among purchases, and a repeated id within one batch."""
    user, product = new_number(), await shop.flash_sale(3, limit=1)
    ids = [new_id() for _ in range(6)]
    users = [user, user, user, user + 1, user + 2, user + 3]
    ids[1] = ids[0]
    stub = flash_sale_pb2_grpc.FlashSaleServiceStub(shop.channel("flash_sale"))
    requests = [
        flash_sale_pb2.BuyRequest(user_id=buyer, product_id=product, amount=1, order_id=order_id)
        for buyer, order_id in zip(users, ids, strict=True)
    ]
    results = (await stub.BuyMany(flash_sale_pb2.BuyManyRequest(requests=requests), timeout=10)).results
    assert [result.error.code or result.response.order_id for result in results] == [
        ids[0], ids[0], 40904, ids[3], ids[4], 40901,
    ]  # fmt: skip
    for order_id in {ids[0], ids[3], ids[4]}:
        assert (await shop.settled(order_id))["status"] == PLACED


async def sale_id(shop, product):
    return int(await shop.redis.get(flow.flash_pointer(product)))
