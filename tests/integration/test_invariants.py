"""Each promise is seen to break: one row or key is changed behind the shop's back, and put back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pymysql
import pytest
import redis

from dev.gateway_client import Gateway
from dev.invariants import Answers, check
from dev.invariants.stores import of_stack
from dev.layout import ROOT
from services.common import flow

TIMEOUT = 60


class Bought:
    """One order with a coupon, one purchase from a sale with a limit, one buffered order that was cancelled."""

    def __init__(self, gateway):
        def create(path, body):
            answer = gateway.post(path, body)
            assert answer.status == 200, answer
            return answer.data

        self.product = create("product", {"name": "mug", "price": 100})["id"]
        create("stock", {"productID": self.product, "stock": 10})
        self.coupon = create("coupon", {"userID": 1, "amount": 10})["id"]
        purchase = {"userID": 1, "productID": self.product, "productCount": 2, "amount": 200}
        self.order = create("order/submit", {**purchase, "couponID": self.coupon})["orderID"]
        create("stock/setFlashSale", {"productID": self.product, "stock": 5, "limitPerUser": 1})
        self.purchase = create("flashSale", {"userID": 1, "productID": self.product, "amount": 50})["orderID"]
        hopeless = {**purchase, "productCount": 99, "couponID": 0}
        self.cancelled = create("order/sendSubmitNotify", hopeless)["orderID"]


@pytest.fixture(scope="module")
def bought(stack):
    bought = Bought(Gateway(stack.url("gateway")))
    assert not broken(stack)
    return bought


@pytest.fixture(scope="module")
def sql(stack):
    """Runs one statement as the administrator."""
    account = stack.mysql("admin")
    connection = pymysql.connect(
        host=account.host, port=account.port, user=account.user, password=account.password, autocommit=True
    )

    def run(statement):
        with connection.cursor() as cursor:
            assert cursor.execute(statement) > 0, statement
            return cursor.fetchall()

    yield run
    connection.close()


@pytest.fixture(scope="module")
def keys(stack):
    account = stack.redis()
    client = redis.Redis(host=account.host, port=account.port, password=account.password, decode_responses=True)
    yield client
    client.close()


def broken(stack, answers=None):
    """Promises that do not hold, with what breaks them."""
    results = check(of_stack(stack), answers, timeout=TIMEOUT)
    return {result.promise: result.broken for result in results if not result.holds}


@contextmanager
def changed(sql, statement, undo):
    sql(statement)
    try:
        yield
    finally:
        sql(undo)


ORDER = "eshop_order.order_record"
SALE = "eshop_stock.flash_sale"
SOLD = f"{ORDER} JOIN {SALE} AS sale ON sale.id = sale_id"
CASES = {
    "a unit vanished": (
        "UPDATE eshop_stock.stock SET stock = stock - 1 WHERE product_id = {product}",
        "UPDATE eshop_stock.stock SET stock = stock + 1 WHERE product_id = {product}",
        {"stock supplied = stock left + units of live orders"},
    ),
    "a hidden stock row counts": (
        "UPDATE eshop_stock.stock SET supplied = supplied + 1, deleted_at = NOW(3) WHERE product_id = {product}",
        "UPDATE eshop_stock.stock SET supplied = supplied - 1, deleted_at = NULL WHERE product_id = {product}",
        {"stock supplied = stock left + units of live orders"},
    ),
    "orders of a product without stock": (
        "UPDATE eshop_stock.stock SET product_id = 999999999 WHERE product_id = {product}",
        "UPDATE eshop_stock.stock SET product_id = {product} WHERE product_id = 999999999",
        {"stock supplied = stock left + units of live orders"},
    ),
    "a sale sold more than its orders": (
        f"UPDATE {SALE} SET remaining = remaining - 1 WHERE product_id = {{product}}",
        f"UPDATE {SALE} SET remaining = remaining + 1 WHERE product_id = {{product}}",
        {"allotment of a sale = remaining + units of live orders", "units of a sale in Redis = units in MySQL"},
    ),
    "a purchase of no sale": (
        f"UPDATE {ORDER} SET sale_id = sale_id + 1000000 WHERE order_id = '{{purchase}}'",
        f"UPDATE {ORDER} SET sale_id = sale_id - 1000000 WHERE order_id = '{{purchase}}'",
        {"allotment of a sale = remaining + units of live orders", "every order that a sale accepted has its row"},
    ),
    "an order without outcome": (
        f"UPDATE {ORDER} SET status = 0 WHERE order_id = '{{order}}'",
        f"UPDATE {ORDER} SET status = 1 WHERE order_id = '{{order}}'",
        {"every order id has one row, with a final outcome"},
    ),
    "a refusal without reason": (
        f"UPDATE {ORDER} SET reason = '' WHERE order_id = '{{cancelled}}'",
        f"UPDATE {ORDER} SET reason = '[40902] none' WHERE order_id = '{{cancelled}}'",
        {"every order id has one row, with a final outcome"},
    ),
    "a payment of another amount": (
        "UPDATE eshop_pay.pay SET amount = amount + 1 WHERE order_id = '{order}'",
        "UPDATE eshop_pay.pay SET amount = amount - 1 WHERE order_id = '{order}'",
        {"every live order has one payment of its amount"},
    ),
    "a payment of another saga": (
        "UPDATE eshop_pay.pay SET gid = CONCAT(gid, '-') WHERE order_id = '{order}'",
        "UPDATE eshop_pay.pay SET gid = LEFT(gid, LENGTH(gid) - 1) WHERE order_id = '{order}'",
        {"every live order has one payment of its amount", "every payment of a saga has its live order"},
    ),
    "a used coupon was given back": (
        "UPDATE eshop_coupon.coupon SET status = 1, order_id = '' WHERE id = {coupon}",
        "UPDATE eshop_coupon.coupon SET status = 2, order_id = '{order}' WHERE id = {coupon}",
        {"every live order with a coupon has used it"},
    ),
    "a coupon used by no order": (
        "UPDATE eshop_coupon.coupon SET order_id = 'nobody' WHERE id = {coupon}",
        "UPDATE eshop_coupon.coupon SET order_id = '{order}' WHERE id = {coupon}",
        {"every live order with a coupon has used it", "every used coupon has its live order"},
    ),
    "a user beyond the limit": (
        f"UPDATE {SOLD} SET product_count = 2, remaining = 3 WHERE order_id = '{{purchase}}'",
        f"UPDATE {SOLD} SET product_count = 1, remaining = 4 WHERE order_id = '{{purchase}}'",
        {"no user has orders beyond a sale's limit", "units of a sale in Redis = units in MySQL"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_changed_row_breaks_its_promise(stack, bought, sql, name):
    statement, undo, promises = CASES[name]
    with changed(sql, statement.format(**vars(bought)), undo.format(**vars(bought))):
        assert set(broken(stack)) == promises


def test_a_payment_made_by_hand_belongs_to_no_order(stack, bought, sql):
    columns = "(user_id, order_id, amount, gid)"
    with changed(
        sql,
        f"INSERT INTO eshop_pay.pay {columns} VALUES (1, 'by-hand', 5, '')",
        "DELETE FROM eshop_pay.pay WHERE order_id = 'by-hand'",
    ):
        assert not broken(stack)


def _sale(sql, bought):
    [[sale]] = sql(f"SELECT id FROM {SALE} WHERE product_id = {bought.product}")
    return sale


@pytest.mark.parametrize("change", [-1, 1, -10])
def test_units_that_redis_counts_otherwise(stack, bought, sql, keys, change):
    stock = flow.flash_stock(bought.product, _sale(sql, bought))
    keys.incrby(stock, change)
    try:
        found = broken(stack)
    finally:
        keys.decrby(stock, change)
    assert set(found) == {
        "units of a sale in Redis = units in MySQL",
        "no buyer in Redis is beyond a sale's limit",  # its units are not those of its buyers
    }


def test_a_buyer_beyond_the_limit_in_redis(stack, bought, sql, keys):
    buyers = flow.flash_buyers(bought.product, _sale(sql, bought))
    keys.hincrby(buyers, "1", 1)
    try:
        found = broken(stack)
    finally:
        keys.hincrby(buyers, "1", -1)
    assert any("user 1 has 2 of 1" in text for text in found["no buyer in Redis is beyond a sale's limit"])


def test_an_accepted_purchase_without_a_row(stack, bought, sql, keys):
    orders = flow.flash_orders(bought.product, _sale(sql, bought))
    keys.sadd(orders, "lost")
    try:
        found = broken(stack)
    finally:
        keys.srem(orders, "lost")
    assert list(found) == ["every order that a sale accepted has its row"]
    assert "order lost" in found["every order that a sale accepted has its row"][0]


def test_answers_are_held_against_the_rows(stack, bought):
    true = Answers({bought.order}, {bought.purchase, bought.cancelled}, {bought.cancelled, "never-seen"})
    assert not broken(stack, true)
    false = Answers({bought.cancelled, "missing"}, {"missing"}, {bought.order})
    assert broken(stack, false) == {
        "an order answered with 200 is live": sorted([f"order {bought.cancelled}", "order missing"]),
        "a buffered order or purchase answered with 200 has its row": ["order missing"],
        "an order answered with 409 does not live": [f"order {bought.order}"],
    }


def test_what_is_under_way_is_waited_for(stack, bought):
    """A backlog that nobody works at is named when the time is over, and gone when somebody does."""
    gateway = Gateway(stack.url("gateway"))
    stack.stop("stock")
    try:
        body = {"userID": 1, "productID": bought.product, "productCount": 1, "amount": 100, "couponID": 0}
        order_id = gateway.post("order/sendSubmitNotify", body).data["orderID"]
        heard = []
        results = check(of_stack(stack), Answers(accepted={order_id}), timeout=3, report=heard.append)
    finally:
        stack.start("stock")
        stack.wait_ready()
    assert any("1 messages of order.submitted" in text for text in results[0].broken)
    assert heard
    assert not broken(stack, Answers(accepted={order_id}))


def test_the_command_runs_from_a_containers_environment(stack, bought):
    mysql, shared = stack.mysql("reader"), stack.redis()
    environment = {
        "PATH": os.environ["PATH"],
        "ESHOP_MYSQL_HOST": mysql.host,
        "ESHOP_MYSQL_PORT": str(mysql.port),
        "ESHOP_MYSQL_USER": mysql.user,
        "ESHOP_MYSQL_PASSWORD": mysql.password,
        "ESHOP_REDIS_HOST": shared.host,
        "ESHOP_REDIS_PORT": str(shared.port),
        "ESHOP_REDIS_PASSWORD": shared.password,
        "ESHOP_KAFKA_BROKERS": stack.brokers,
        "ESHOP_DTM_MYSQL_HTTP": stack.address("coordinator-mysql", "http"),
        "ESHOP_DTM_REDIS_HTTP": stack.address("coordinator-redis", "http"),
    }
    command = [sys.executable, "-m", "dev.invariants", "--timeout", "30"]

    def run(**changes):
        return subprocess.run(
            command, cwd=ROOT, env={**environment, **changes}, capture_output=True, text=True, check=False
        )

    began = time.monotonic()
    good = run()
    assert good.returncode == 0, good.stdout + good.stderr
    assert "BROKEN" not in good.stdout
    assert time.monotonic() - began < 30
    wrong = run(ESHOP_MYSQL_PASSWORD="wrong-password")
    assert wrong.returncode == 1
    assert "cannot be read" in wrong.stderr
    assert "wrong-password" not in wrong.stderr + wrong.stdout
