"""Flow B: orders through Kafka. Every message becomes exactly one row with a final outcome, however often it comes."""

from __future__ import annotations

import asyncio

from services.common import flow
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_QUEUE, NewOrder
from tests.shop import CANCELLED, PLACED, kafka_drained, new_number, purchase


def new_order(product, **fields):
    """A NewOrder with an id that no gateway made."""
    given = {"user_id": new_number(), "product_count": 1, "amount": 100, "order_id": f"test-{new_number()}-{product}"}
    return NewOrder(product_id=product, source=SOURCE_QUEUE, **{**given, **fields})


async def test_a_queued_order_is_placed(shop):
    user, product = new_number(), await shop.product(10)
    coupon = await shop.coupon(user, 30)
    answer = await shop.send(purchase(user, product, count=3, amount=300, coupon=coupon))
    assert answer.status == 200
    order = await shop.settled(answer.data["orderID"])
    assert (order["status"], order["source"], order["reason"]) == (PLACED, 2, "")
    assert (order["userID"], order["productCount"], order["amount"], order["couponID"]) == (user, 3, 300, coupon)
    assert await shop.stock_left(product) == 7
    assert (await shop.coupon_row(coupon))["status"] == 2
    assert len(await shop.payments_of(order["orderID"])) == 1


async def test_what_cannot_be_placed_is_cancelled_with_the_reason(shop):
    user, product = new_number(), await shop.product(2)
    coupon = await shop.coupon(new_number())
    answers = [
        await shop.send(purchase(user, product, count=3)),
        await shop.send(purchase(user, product, coupon=coupon)),
    ]
    orders = [await shop.settled(answer.data["orderID"]) for answer in answers]
    assert [order["status"] for order in orders] == [CANCELLED, CANCELLED]
    assert orders[0]["reason"].startswith(f"[40902] product {product} has ")
    assert orders[1]["reason"] == f"[40903] coupon {coupon} is another user's"
    assert await shop.stock_left(product) == 2
    assert await shop.payments_of(*(order["orderID"] for order in orders)) == []


async def test_two_queued_orders_race_for_the_last_unit(shop):
    product = await shop.product(1)
    answers = await asyncio.gather(*(shop.send(purchase(new_number(), product)) for _ in range(2)))
    orders = [await shop.settled(answer.data["orderID"]) for answer in answers]
    assert sorted(order["status"] for order in orders) == [PLACED, CANCELLED]
    [loser] = [order for order in orders if order["status"] == CANCELLED]
    assert loser["reason"].startswith("[40902] ")
    assert await shop.stock_left(product) == 0


async def test_a_message_that_comes_again_is_the_same_order(shop, kafka):
    product = await shop.product(10)
    order = new_order(product, product_count=2)
    kafka.send(flow.ORDER_SUBMITTED, *[(order.order_id, order.SerializeToString())] * 3)
    placed = await shop.settled(order.order_id)
    kafka.send(flow.ORDER_SUBMITTED, (order.order_id, order.SerializeToString()))
    await kafka_drained(kafka)
    assert await shop.order(order.order_id) == placed
    assert await shop.stock_left(product) == 8
    assert len(await shop.payments_of(order.order_id)) == 1


async def test_a_cancelled_order_stays_cancelled(shop, kafka):
    product = await shop.product(1)
    order = new_order(product, product_count=2)
    message = (order.order_id, order.SerializeToString())
    kafka.send(flow.ORDER_SUBMITTED, message)
    assert (await shop.settled(order.order_id))["status"] == CANCELLED
    await shop.post("/stock", {"productID": product, "stock": 5})
    kafka.send(flow.ORDER_SUBMITTED, message)
    await kafka_drained(kafka)
    assert (await shop.order(order.order_id))["status"] == CANCELLED
    assert await shop.stock_left(product) == 5


async def test_one_bad_order_of_fifty_is_cancelled_alone(shop, kafka):
    """No look at stock or coupons warns of an unknown sale: the saga of all fifty is refused, and cut in two."""
    product = await shop.product(100)
    orders = [new_order(product, order_id=f"fifty-{product}-{number}") for number in range(50)]
    orders[17].sale_id = 2**40
    kafka.send(flow.ORDER_SUBMITTED, *((order.order_id, order.SerializeToString()) for order in orders))
    rows = [await shop.settled(order.order_id) for order in orders]
    assert [number for number, row in enumerate(rows) if row["status"] != PLACED] == [17]
    assert rows[17]["status"] == CANCELLED
    expected = f"[40902] sale {2**40} of product {product} has fewer than 1 units left"
    assert rows[17]["reason"] == expected
    assert await shop.stock_left(product) == 51
    assert len(await shop.payments_of(*(order.order_id for order in orders))) == 49


async def test_the_same_key_is_the_same_queued_order(shop, kafka):
    user, product = new_number(), await shop.product(10)
    answers = [await shop.send(purchase(user, product), key="once") for _ in range(3)]
    assert {answer.data["orderID"] for answer in answers} == {answers[0].data["orderID"]}
    await shop.settled(answers[0].data["orderID"])
    await kafka_drained(kafka)
    assert len(await shop.orders_of(product)) == 1
    assert await shop.stock_left(product) == 9


async def test_messages_that_cannot_be_placed_go_to_the_dead_letters(shop, kafka):
    product = await shop.product(10)
    order = new_order(product)
    other = NewOrder()
    other.CopyFrom(order)
    other.product_count = 2
    long = new_order(product, order_id="x" * 46)
    lacking = new_order(product, product_count=0)
    letters = [b"\xff\xff no protobuf", b"", long.SerializeToString(), lacking.SerializeToString()]
    kafka.send(flow.ORDER_SUBMITTED, (order.order_id, order.SerializeToString()))
    await shop.settled(order.order_id)
    key = f"key-{product}"
    kafka.send(
        flow.ORDER_SUBMITTED,
        *((key, letter) for letter in letters),
        (key, other.SerializeToString()),
        headers=[("trace", b"kept")],
    )
    await kafka_drained(kafka)

    def found():
        records = kafka.read(flow.dead_letter_topic(flow.ORDER_SUBMITTED))
        return [record for record in records if record.key == key.encode()]

    records = await asyncio.to_thread(found)
    assert len(records) == 5
    headers = {record.value: dict(record.headers) for record in records}
    assert headers.keys() == {*letters, other.SerializeToString()}
    assert [headers[letter]["eshop-code"] for letter in letters] == [b"40001"] * 4
    assert headers[letters[0]]["eshop-error"] == b"the value is no NewOrder"
    assert headers[letters[2]]["eshop-error"] == b"the order id is longer than 45 characters"
    assert headers[other.SerializeToString()]["eshop-code"] == b"42200"
    for found_headers in headers.values():
        assert found_headers["trace"] == b"kept"
        assert found_headers["eshop-source"].startswith(b"order.submitted/")
    assert await shop.stock_left(product) == 9


async def test_offsets_that_go_back_place_nothing_anew(shop, kafka, stack):
    product = await shop.product(100)
    answers = await asyncio.gather(*(shop.send(purchase(new_number(), product)) for _ in range(40)))
    for answer in answers:
        assert (await shop.settled(answer.data["orderID"]))["status"] == PLACED
    rows = await shop.orders_of(product)
    await asyncio.to_thread(stack.stop, "order")
    await asyncio.to_thread(kafka.rewind, flow.ORDER_SUBMITTED, 100)
    assert await asyncio.to_thread(kafka.lag) >= 40
    await asyncio.to_thread(stack.start, "order")
    await asyncio.to_thread(stack.wait_ready, "order")
    await kafka_drained(kafka)
    assert await shop.orders_of(product) == rows
    assert await shop.stock_left(product) == 60
