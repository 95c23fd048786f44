"""The orders of `helm test`, through the gateway alone: GATEWAY=http://… python place_orders.py

A buyer, a product, stock and a coupon of their own, so that it can run beside real traffic and again at any time: an
order that must succeed, one that must fail, a buffered one, and a flash sale of two units for three buyers. Ends with 1
and a sentence where an answer is not the documented one. Only the standard library.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

GATEWAY = os.environ["GATEWAY"].rstrip("/") + "/api/v1"
PATIENCE_SECONDS = 60


def call(method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
    """One request: status, and the envelope {"code", "msg", "data"}."""
    request = urllib.request.Request(GATEWAY + path, method=method)
    request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=15) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def expect(what: str, answer: tuple[int, dict], status: int = 200) -> dict:
    """The answer's data, or the end of the test."""
    if answer[0] != status:
        sys.exit(f"FAILED {what}: wanted HTTP {status}, got {answer[0]}: {answer[1]}")
    print(f"ok     {what}: {answer[1]['data'] or answer[1]['msg']}")
    return answer[1]["data"]


def wait_for_gateway() -> None:
    """A pod's first connections may come before its neighbours know its labels."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if call("GET", "/product/list?page=0&limit=1")[0] == 200:
                return
        except OSError as error:
            print("waiting:", error)
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: the gateway at {GATEWAY} does not answer")
        time.sleep(1)


def await_order(order_id: str) -> dict:
    """The order once it is placed or cancelled: what Kafka holds takes a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, envelope = call("GET", f"/order/{order_id}")
        if status == 200:
            return envelope["data"].get("order", envelope["data"])
        if status != 404 or time.monotonic() > deadline:
            sys.exit(f"FAILED order {order_id}: {status} {envelope}")
        time.sleep(0.5)


def main() -> None:
    wait_for_gateway()
    name = uuid.uuid4().hex[:12]
    person = {"name": f"test {name}", "password": uuid.uuid4().hex, "email": f"{name}@example.com"}
    user = expect("user", call("POST", "/user", person))["id"]
    product = expect("product", call("POST", "/product", {"name": f"test {name}", "price": 1000}))["id"]
    expect("stock of 5", call("POST", "/stock", {"productID": product, "stock": 5}))
    coupon = expect("coupon", call("POST", "/coupon", {"userID": user, "amount": 100}))["id"]

    order = {"userID": user, "productID": product, "productCount": 2, "amount": 2000, "couponID": coupon}
    placed = expect("order", call("POST", "/order/submit", order))["orderID"]
    if await_order(placed)["status"] != 1:
        sys.exit(f"FAILED: order {placed} is not waiting for its payment")
    expect("order with a used coupon is refused", call("POST", "/order/submit", order), 409)
    too_many = {**order, "couponID": 0, "productCount": 50}
    expect("order beyond the stock is refused", call("POST", "/order/submit", too_many), 409)
    buffered = expect("buffered order", call("POST", "/order/sendSubmitNotify", {**order, "couponID": 0}))["orderID"]
    if await_order(buffered)["status"] != 1:
        sys.exit(f"FAILED: buffered order {buffered} was not placed")

    sale = {"productID": product, "stock": 2, "limitPerUser": 1}
    expect("flash sale of 2, one per user", call("POST", "/stock/setFlashSale", sale))
    buy = {"userID": user, "productID": product, "amount": 1000}
    bought = [expect("first buyer", call("POST", "/flashSale", buy))["orderID"]]
    expect("the same buyer again is refused", call("POST", "/flashSale", buy), 409)
    bought += [expect("second buyer", call("POST", "/flashSale", {**buy, "userID": user + 1}))["orderID"]]
    expect("third buyer is too late", call("POST", "/flashSale", {**buy, "userID": user + 2}), 409)
    for order_id in bought:
        if await_order(order_id)["status"] != 1:
            sys.exit(f"FAILED: flash-sale order {order_id} was not placed")
    print("all orders are as they should be")


if __name__ == "__main__":
    main()
