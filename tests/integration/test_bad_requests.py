"""Requests that no well-meaning client sends: a clear error, and nothing changed."""

from __future__ import annotations

import json

import pytest

from tests.shop import new_number, purchase

BAD = {
    "negative count": ({"productCount": -1}, 40000, "productCount: "),
    "no count": ({"productCount": 0}, 40001, "productCount: "),
    "string for a number": ({"productCount": "1"}, 40000, "productCount: "),
    "fraction": ({"amount": 1.5}, 40000, "amount: "),
    "null": ({"userID": None}, 40000, "userID: "),
    "count beyond 32 bits": ({"productCount": 2**32}, 40000, "productCount: "),
    "user beyond 64 bits": ({"userID": 2**64}, 40000, "userID: "),
    "unknown field": ({"discount": 5}, 40000, "unknown field"),
    "own order id": ({"orderID": "my-own-order-id-1"}, 40000, "unknown field"),
    "list for a number": ({"couponID": [1]}, 40000, "couponID: "),
}


@pytest.mark.parametrize("path", ["/order/submit", "/order/sendSubmitNotify"])
@pytest.mark.parametrize("bad", BAD)
async def test_fields(shop, path, bad):
    product = await shop.product(5)
    changes, code, message = BAD[bad]
    answer = await shop.post(path, purchase(new_number(), product) | changes)
    assert (answer.status, answer.code) == (400, code)
    assert message in answer.message
    assert answer.data == {}
    await nothing_changed(shop, product, 5)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("userID", 0, 40001),
        ("userID", "1", 40000),
        ("amount", 0, 40001),
        ("amount", -5, 40000),
        ("productCount", 1, 40000),
    ],
)
async def test_fields_of_a_flash_sale(shop, field, value, code):
    product = await shop.flash_sale(5)
    body = {"userID": new_number(), "productID": product, "amount": 5} | {field: value}
    refused = await shop.post("/flashSale", body)
    assert (refused.status, refused.code) == (400, code)
    assert field in refused.message
    assert (await shop.buy(new_number(), product)).status == 200
    assert await shop.redis.get(await stock_key(shop, product)) == b"4"


BODIES = {
    "nothing": b" ",
    "no JSON": b"userID=1&productID=2",
    "half of it": b'{"userID": 1, "productID":',
    "a list": b"[]",
    "a string": b'"order"',
    "broken UTF-8": b'{"userID": 1, "productID": 2, "productCount": 1, "amount": 1, "couponID": 0, "n\xff": 1}',
    "UTF-16": json.dumps(purchase(1, 2)).encode("utf-16"),
    "nested deeply": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BODIES)
async def test_bodies(shop, body):
    answer = await shop.call("POST", "/order/submit", raw=BODIES[body])
    assert (answer.status, answer.code) == (400, 40000)
    assert answer.message


async def test_broken_utf_8_inside_a_string(shop):
    body = b'{"name":"\xff\xfe","password":"secret1","email":"broken@example.org"}'
    assert (await shop.call("POST", "/user", raw=body)).status == 400
    [row] = await shop.rows("SELECT COUNT(*) AS n FROM eshop_user.user WHERE email = 'broken@example.org'")
    assert row["n"] == 0


@pytest.mark.parametrize("service", ["gateway", "order"])
async def test_ten_megabytes(shop, service):
    product = await shop.product(5)
    body = json.dumps(purchase(new_number(), product)).encode()
    padded = body[:-1] + b"," + b" " * (10 << 20) + b'"amount":1}'
    answer = await shop.call("POST", "/order/submit", raw=padded, service=service)
    assert (answer.status, answer.code) == (413, 41300)
    assert "larger than 1048576 bytes" in answer.message
    await nothing_changed(shop, product, 5)


async def test_what_is_not_there(shop):
    answer = await shop.get("/orders")
    assert (answer.status, answer.code) == (404, 40400)
    answer = await shop.call("DELETE", "/order/submit")
    assert (answer.status, answer.code) == (405, 40500)
    assert answer.headers["allow"] == "POST"


async def test_pay_is_not_public(shop):
    """Payments come from orders alone: the gateway does not know them."""
    assert (await shop.get("/pay/list")).status == 404


async def nothing_changed(shop, product, stock):
    assert await shop.stock_left(product) == stock
    assert await shop.orders_of(product) == []


async def stock_key(shop, product):
    sale = await shop.redis.get(f"{{flash:{product}}}:sale")
    return f"{{flash:{product}}}:{sale.decode()}:stock"
