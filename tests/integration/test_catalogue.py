"""Users, products, coupons, stocks and payments: created and listed, through the gateway or at their own services."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from tests.shop import new_number, purchase

LISTS = ["user", "product", "coupon", "stock", "order"]


async def new_user(shop, **fields):
    body = {"name": "Ann", "password": "correct horse", "email": f"u{new_number()}@example.org", **fields}
    return await shop.post("/user", body)


async def test_a_password_is_hashed_and_never_shown(shop):
    answer = await new_user(shop, phone="+49 30 1234567", age=30, gender=2, status=1)
    assert answer.status == 200
    user = answer.data["id"]
    [row] = await shop.rows("SELECT password FROM eshop_user.user WHERE id = :user", user=user)
    assert row["password"].startswith("$argon2id$")
    assert PasswordHasher().verify(row["password"], "correct horse")
    shown = await shop.get(f"/user/{user}", service="user")
    listed = await shop.get("/user/list?limit=100&sort=-id")
    found = await shop.post("/user/list", {"columns": [{"name": "id", "value": user}]}, service="user")
    for text in (str(shown), str(listed), str(found)):
        assert "argon2" not in text
        assert "password" not in text
        assert "correct horse" not in text
    # Nor can it be guessed by filters.
    probing = {"columns": [{"name": "password", "exp": "like", "value": "%argon2id%"}]}
    assert (await shop.post("/user/list", probing, service="user")).code == 40002


async def test_a_changed_password_is_hashed_too(shop):
    user = (await new_user(shop)).data["id"]
    assert (await shop.call("PUT", f"/user/{user}", {"password": "battery staple"}, service="user")).status == 200
    [row] = await shop.rows("SELECT password FROM eshop_user.user WHERE id = :user", user=user)
    assert PasswordHasher().verify(row["password"], "battery staple")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "no-address"},
        {"email": ""},
        {"email": "a@b"},
        {"phone": "call me"},
        {"phone": "12"},
        {"password": "short"},
        {"name": ""},
        {"name": "n" * 51},
        {"gender": 3},
    ],
    ids=str,
)
async def test_users_that_are_refused(shop, wrong):
    answer = await new_user(shop, **wrong)
    assert (answer.status, answer.code) == (400, 40001)
    assert answer.message.startswith(next(iter(wrong)))


async def test_an_email_belongs_to_one_user(shop):
    email = f"one{new_number()}@example.org"
    assert (await new_user(shop, email=email)).status == 200
    answer = await new_user(shop, email=email)
    assert (answer.status, answer.code) == (409, 40905)


async def test_a_product(shop):
    body = {"name": "Tea, 茶 ☕", "price": 1299, "photo": "https://example.org/tea.png", "description": "d" * 2000}
    product = (await shop.post("/product", body)).data["id"]
    shown = (await shop.get(f"/product/{product}", service="product")).data
    assert {name: shown[name] for name in body} == body
    assert (await shop.call("PUT", f"/product/{product}", {"price": 0}, service="product")).status == 200
    assert (await shop.get(f"/product/{product}", service="product")).data["price"] == 0
    assert (await shop.call("DELETE", f"/product/{product}", service="product")).status == 200
    assert (await shop.get(f"/product/{product}", service="product")).status == 404


async def test_setting_the_stock_counts_what_was_supplied(shop):
    product = await shop.product(10)
    await shop.submit(purchase(new_number(), product, count=4))
    first = await shop.post("/stock", {"productID": product, "stock": 20})
    again = await shop.post("/stock", {"productID": product, "stock": 20})
    assert first.data["id"] == again.data["id"]
    [row] = await shop.rows("SELECT * FROM eshop_stock.stock WHERE product_id = :product", product=product)
    assert (row["stock"], row["supplied"]) == (20, 24)
    path = f"/stock/{row['id']}"
    assert (await shop.call("PUT", path, {"stock": 1}, service="stock")).status == 200
    [row] = await shop.rows("SELECT * FROM eshop_stock.stock WHERE product_id = :product", product=product)
    assert (row["stock"], row["supplied"]) == (1, 5)
    refused = await shop.call("DELETE", path, service="stock")
    assert (refused.status, refused.code) == (409, 40900)


async def test_a_used_coupon_is_left_alone(shop):
    user = new_number()
    coupon = await shop.coupon(user)
    await shop.submit(purchase(user, await shop.product(1), coupon=coupon))
    for method, body in (("PUT", {"status": 1}), ("DELETE", None)):
        answer = await shop.call(method, f"/coupon/{coupon}", body, service="coupon")
        assert (answer.status, answer.code) == (409, 40900)
    assert (await shop.coupon_row(coupon))["status"] == 2


@pytest.mark.parametrize("text", ["tomorrow", "9999-12-31T23:59:59-05:00"])
async def test_a_coupons_expiry_is_a_time(shop, text):
    answer = await shop.post("/coupon", {"userID": 5, "amount": 1, "expiresAt": text})
    assert (answer.status, answer.code) == (400, 40001)
    assert "expiresAt" in answer.message


@pytest.mark.parametrize("name", LISTS)
async def test_lists_are_paged(shop, name):
    for number in range(3):
        user, product = new_number(), await shop.product(1)
        await shop.coupon(user)
        await new_user(shop)
        await shop.post("/product", {"name": f"p{number}", "price": number})
        await shop.submit(purchase(user, product))
    pages = [(await shop.get(f"/{name}/list?page={page}&limit=2&sort=-id")).data for page in (0, 1)]
    ids = [row["id"] for page in pages for row in page["list"]]
    assert len(ids) >= 3
    assert ids == sorted(set(ids), reverse=True)
    [count] = await shop.rows(f"SELECT COUNT(*) AS n FROM {TABLES[name]} WHERE deleted_at IS NULL")
    assert pages[0]["total"] == count["n"] >= 3
    assert len((await shop.get(f"/{name}/list")).data["list"]) <= 10
    beyond = await shop.get(f"/{name}/list?page=9999&limit=100")
    assert (beyond.status, beyond.data["list"]) == (200, [])
    too_far = await shop.get(f"/{name}/list?page=1000000&limit=100")
    assert (too_far.status, too_far.code) == (400, 40002)


TABLES = {
    "user": "eshop_user.user",
    "product": "eshop_product.product",
    "coupon": "eshop_coupon.coupon",
    "stock": "eshop_stock.stock",
    "order": "eshop_order.order_record",
}


@pytest.mark.parametrize("name", [*LISTS, "pay"])
async def test_lists_are_filtered_at_their_own_service(shop, name):
    await new_user(shop)
    await shop.post("/product", {"name": "found", "price": 1})
    await shop.coupon(5)
    await shop.submit(purchase(new_number(), await shop.product(1)))
    path, newest = f"/{name}/list", {"limit": 1, "sort": "-id"}
    [row] = (await shop.post(path, newest, service=name)).data["list"]

    async def found(*columns):
        answer = await shop.post(path, {"limit": 2, "columns": columns}, service=name)
        assert answer.status == 200, answer
        return answer.data

    this = {"name": "id", "value": row["id"]}
    assert await found(this) == {"list": [row], "total": 1}
    assert await found({"name": "id", "exp": ">", "value": row["id"]}) == {"list": [], "total": 0}
    either = await found({**this, "logic": "||"}, {"name": "id", "exp": "in", "value": [row["id"] - 1, row["id"] - 2]})
    assert either["list"][0] == row
    for wrong in ({"columns": [{"name": "nothing", "value": 1}]}, {"columns": [{**this, "exp": "is"}]}):
        answer = await shop.post(path, wrong, service=name)
        assert (answer.status, answer.code) == (400, 40002)
    answer = await shop.post(path, {"limit": 101}, service=name)
    assert (answer.status, answer.code) == (400, 40001)


async def test_a_payment_is_settled_once(shop):
    """Pending, then paid or cancelled for good; a payment that is still due is not hidden."""
    body = {"userID": 7, "orderID": f"by-hand-{new_number()}", "amount": 100}
    payment = (await shop.post("/pay", body, service="pay")).data["id"]
    again = await shop.post("/pay", body, service="pay")
    assert (again.status, again.code) == (409, 40905)
    path = f"/pay/{payment}"

    async def settle(status):
        return (await shop.call("PUT", path, {"status": status}, service="pay")).status

    assert (await shop.call("DELETE", path, service="pay")).status == 409
    assert [await settle(status) for status in (1, 2, 2)] == [200] * 3
    assert [await settle(status) for status in (1, 4)] == [409] * 2
    assert await settle(3) == 400
    shown = (await shop.get(path, service="pay")).data
    assert {name: shown[name] for name in (*body, "status")} == {**body, "status": 2}
    assert (await shop.call("DELETE", path, service="pay")).status == 200
    assert (await shop.get(path, service="pay")).status == 404


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=101", 40001),
        ("limit=-1", 40000),
        ("page=x", 40000),
        ("sort=-nothing", 40002),
        ("sort=id;drop", 40002),
        ("limits=5", 40000),
    ],
)
async def test_bad_queries(shop, name, query, code):
    answer = await shop.get(f"/{name}/list?{query}")
    assert (answer.status, answer.code) == (400, code)


async def test_a_deleted_row_leaves_the_lists(shop):
    product = (await shop.post("/product", {"name": "gone", "price": 1})).data["id"]
    await shop.call("DELETE", f"/product/{product}", service="product")
    listed = (await shop.get("/product/list?limit=100&sort=-id")).data["list"]
    assert product not in [row["id"] for row in listed]
    assert (await shop.call("DELETE", f"/product/{product}", service="product")).status == 404
