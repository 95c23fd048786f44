"""Flow A through the gateway: an order is placed in all four services or in none, and repeats are the same order."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.common.pb.eshop.order.v1 import order_pb2, order_pb2_grpc
from tests.shop import PLACED, new_number, purchase


async def test_an_order_takes_stock_uses_the_coupon_and_creates_a_payment(shop):
    user, product = new_number(), await shop.product(10)
    coupon = await shop.coupon(user, 30)
    answer = await shop.submit(purchase(user, product, count=3, amount=300, coupon=coupon))
    assert (answer.status, answer.code, answer.message) == (200, 0, "ok")
    order_id = answer.data["orderID"]

    order = await shop.order(order_id)
    times = order.pop("createdAt"), order.pop("updatedAt")
    assert times[0] == times[1]
    assert order.pop("id") > 0
    body = {"userID": user, "productID": product, "productCount": 3, "amount": 300, "couponID": coupon}
    assert order == {"orderID": order_id, **body, "status": PLACED, "source": 1, "saleID": 0, "reason": ""}
    assert await shop.stock_left(product) == 7
    row = await shop.coupon_row(coupon)
    assert (row["status"], row["order_id"]) == (2, order_id)
    [payment] = await shop.payments_of(order_id)
    assert (payment["user_id"], payment["amount"], payment["status"]) == (user, 300, 1)


async def refused(shop, body):
    """The answer of a submit that must change nothing."""
    answer = await shop.submit(body)
    assert answer.status == 409
    assert answer.data == {}
    assert await shop.orders_of(body["productID"]) == []
    assert await shop.rows("SELECT * FROM eshop_pay.pay WHERE user_id = :user", user=body["userID"]) == []
    return answer


async def test_too_little_stock(shop):
    product = await shop.product(2)
    answer = await refused(shop, purchase(new_number(), product, count=3))
    assert (answer.code, answer.message) == (40902, f"product {product} has 2 units left")
    assert await shop.stock_left(product) == 2


async def test_a_product_without_stock(shop):
    assert (await refused(shop, purchase(new_number(), new_number()))).code == 40902


@pytest.mark.parametrize(
    ("fields", "amount", "problem"),
    [
        ({"status": 3}, 100, "is expired"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, 100, "is expired"),
        ({"amount": 101}, 100, "is worth more than the order"),
    ],
)
async def test_a_coupon_that_does_not_fit(shop, fields, amount, problem):
    user, product = new_number(), await shop.product(5)
    coupon = await shop.coupon(user, **fields)
    answer = await refused(shop, purchase(user, product, amount=amount, coupon=coupon))
    assert (answer.code, answer.message) == (40903, f"coupon {coupon} {problem}")
    assert await shop.stock_left(product) == 5
    assert (await shop.coupon_row(coupon))["order_id"] == ""


async def test_a_coupon_of_another_user(shop):
    product = await shop.product(5)
    coupon = await shop.coupon(new_number())
    answer = await refused(shop, purchase(new_number(), product, coupon=coupon))
    assert (answer.code, answer.message) == (40903, f"coupon {coupon} is another user's")


async def test_a_coupon_that_does_not_exist(shop):
    answer = await refused(shop, purchase(new_number(), await shop.product(5), coupon=2**40))
    assert (answer.code, answer.message) == (40903, f"coupon {2**40} does not exist")


async def test_a_coupon_pays_once(shop):
    user, product = new_number(), await shop.product(10)
    coupon = await shop.coupon(user)
    answers = await asyncio.gather(*(shop.submit(purchase(user, product, coupon=coupon)) for _ in range(5)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 4}
    assert {answer.code for answer in answers} == {0, 40903}
    assert await shop.stock_left(product) == 9


async def test_two_orders_race_for_the_last_unit(shop):
    for _ in range(5):
        product = await shop.product(1)
        answers = await asyncio.gather(*(shop.submit(purchase(new_number(), product)) for _ in range(2)))
        assert sorted((answer.status, answer.code) for answer in answers) == [(200, 0), (409, 40902)]
        assert len(await shop.orders_of(product)) == 1
        assert await shop.stock_left(product) == 0


async def test_as_many_orders_as_units_win(shop):
    """Two hundred buyers, thirty units, one to three each: what is sold fits, and not a unit is lost."""
    product = await shop.product(30)
    bodies = [purchase(new_number(), product, count=1 + number % 3) for number in range(200)]
    answers = await asyncio.gather(*(shop.submit(body) for body in bodies))
    assert {answer.code for answer in answers} == {0, 40902}
    sold = sum(body["productCount"] for body, answer in zip(bodies, answers, strict=True) if answer.status == 200)
    orders = await shop.orders_of(product)
    assert sum(order["product_count"] for order in orders) == sold
    assert {order["order_id"] for order in orders} == {
        answer.data["orderID"] for answer in answers if answer.status == 200
    }
    assert await shop.stock_left(product) == 30 - sold
    assert sold >= 29  # a single unit may find nobody who wants just one


async def test_one_bad_order_of_fifty_fails_alone(shop):
    product = await shop.product(1000)
    theirs = await shop.coupon(new_number())
    orders = [
        order_pb2.SubmitRequest(
            user_id=new_number(),
            product_id=product,
            product_count=1,
            amount=100,
            coupon_id=theirs if number == 33 else 0,
            order_id=f"fifty-{product}-{number}",
        )
        for number in range(50)
    ]
    stub = order_pb2_grpc.OrderServiceStub(shop.channel("order"))
    results = (await stub.SubmitMany(order_pb2.SubmitManyRequest(requests=orders), timeout=20)).results
    failed = {number: result.error for number, result in enumerate(results) if result.HasField("error")}
    assert failed.keys() == {33}
    assert (failed[33].code, failed[33].message) == (40903, f"coupon {theirs} is another user's")
    assert await shop.stock_left(product) == 1000 - 49
    placed = [order for order in await shop.orders_of(product) if order["status"] == PLACED]
    assert len(placed) == 49
    assert len(await shop.payments_of(*(order.order_id for order in orders))) == 49


async def test_the_same_key_is_the_same_order(shop):
    user, product = new_number(), await shop.product(10)
    body = purchase(user, product, count=2)
    answers = await asyncio.gather(*(shop.submit(body, key="once") for _ in range(10)))
    answers.append(await shop.submit(body, key="once"))
    assert {(answer.status, answer.data["orderID"]) for answer in answers} == {(200, answers[0].data["orderID"])}
    assert await shop.stock_left(product) == 8
    other = await shop.submit(body, key="twice")
    assert other.status == 200
    assert other.data != answers[0].data


async def test_the_same_key_of_another_user_is_another_order(shop):
    product = await shop.product(10)
    one, other = [await shop.submit(purchase(new_number(), product), key="mine") for _ in range(2)]
    assert (one.status, other.status) == (200, 200)
    assert one.data != other.data


async def test_the_same_key_with_another_body_is_refused(shop):
    user, product = new_number(), await shop.product(10)
    first = await shop.submit(purchase(user, product), key="once")
    for changed in ({"productCount": 2}, {"amount": 99}, {"couponID": 5}):
        again = await shop.submit(purchase(user, product) | changed, key="once")
        assert (again.status, again.code) == (422, 42200)
    assert await shop.stock_left(product) == 9
    assert (await shop.order(first.data["orderID"]))["productCount"] == 1


async def test_a_refusal_with_a_key_stays_a_refusal(shop):
    user, product = new_number(), await shop.product(1)
    body = purchase(user, product, count=2)
    first = await shop.submit(body, key="greedy")
    assert (await shop.post("/stock", {"productID": product, "stock": 10})).status == 200
    again = await shop.submit(body, key="greedy")
    assert (first.status, first.code, first.message) == (again.status, again.code, again.message)
    assert await shop.stock_left(product) == 10


async def test_a_key_that_is_no_key(shop):
    answer = await shop.submit(purchase(new_number(), await shop.product(1)), key="k" * 256)
    assert (answer.status, answer.code) == (400, 40001)


async def test_an_unknown_order(shop):
    answer = await shop.get("/order/nobody-ordered-this")
    assert (answer.status, answer.code) == (404, 40400)


async def test_the_steps_of_an_order(shop):
    """To pay, to ship, to receive, done: one step at a time, a step twice is one step, and never back."""
    answer = await shop.submit(purchase(new_number(), await shop.product(1)))
    path = f"/order/{answer.data['orderID']}"

    async def step(status):
        return (await shop.call("PUT", path, {"status": status}, service="order")).status

    assert await step(3) == 409
    assert [await step(status) for status in (2, 2, 3, 4, 4)] == [200] * 5
    assert await step(3) == 409
    assert (await shop.order(answer.data["orderID"]))["status"] == 4
    assert await step(5) == 400  # cancelling is no step that the outside may take
    assert (await shop.call("DELETE", path, service="order")).status == 200
    assert await shop.order(answer.data["orderID"]) is None
