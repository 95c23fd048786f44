from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.common import rest
from services.common.errors import StockInsufficient, TooLarge, Unavailable, UnknownOutcome
from services.common.http_body import MAX_BODY
from services.common.ids import derived_id
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.rpc import bind
from tests.asgi import request
from tests.unit.common.shop import ORDER_SERVICE, SUBMIT, Shop, app_of


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def app(shop):
    return app_of(shop)


async def test_a_body_becomes_a_request_and_its_response_data(app, shop):
    answer = await request(app, "POST", "/api/v1/order/submit", SUBMIT)
    (got,) = shop.requests
    assert (got.user_id, got.product_id, got.product_count, got.amount, got.coupon_id) == (1, 2, 3, 87, 0)
    assert answer.status == 200
    assert answer.headers == {"content-type": "application/json", "content-length": str(len(answer.body))}
    assert answer.json == {"code": 0, "msg": "ok", "data": {"orderID": got.order_id}}


async def test_the_content_type_is_not_asked_for(app):
    headers = [("content-type", "application/x-www-form-urlencoded")]  # what curl -d sends
    assert (await request(app, "POST", "/api/v1/order/submit", SUBMIT, headers=headers)).status == 200


async def test_every_submit_without_a_key_is_a_new_order(app, shop):
    for _ in range(2):
        await request(app, "POST", "/api/v1/order/submit", SUBMIT)
    first, second = (got.order_id for got in shop.requests)
    assert first != second
    assert len(first) == 26


async def test_a_key_gives_the_same_order_id_to_the_same_user_and_call(app, shop):
    key = [("idempotency-key", "k 1")]
    for path in ("submit", "submit", "sendSubmitNotify"):
        await request(app, "POST", f"/api/v1/order/{path}", SUBMIT, headers=key)
    await request(app, "POST", "/api/v1/order/submit", SUBMIT.replace(b'"userID":1', b'"userID":9'), headers=key)
    first, again, other_call, other_user = (got.order_id for got in shop.requests)
    assert first == again == derived_id("eshop.order.v1.OrderService.Submit", "1", "k 1")
    assert len({first, other_call, other_user}) == 3


async def test_a_key_gives_no_purchase_of_one_product_the_id_of_another_s():
    """The products' sales know nothing of each other: neither could tell that the id is taken."""
    bought = []

    class FlashSales:
        def __getattr__(self, name):
            async def buy(got):
                bought.append(got.order_id)
                return flash_sale_pb2.BuyResponse(order_id=got.order_id)

            return buy

    service = flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"]
    app = rest.application(rest.routes("flash_sale", bind(service, FlashSales())))
    key = [("idempotency-key", "k 1")]
    for product in (7, 7, 8):
        body = b'{"userID":1,"productID":%d,"amount":5}' % product
        await request(app, "POST", "/api/v1/flashSale", body, headers=key)
    first, again, other = bought
    assert first == again != other


async def test_an_unknown_outcome_tells_the_order_id_to_ask_with():
    shop = Shop(UnknownOutcome("ask for it later"))
    answer = await request(app_of(shop), "POST", "/api/v1/order/submit", SUBMIT)
    assert answer.status == 504
    assert answer.json == {
        "code": 50400, "msg": "ask for it later", "data": {"orderID": shop.requests[0].order_id},
    }  # fmt: skip
    assert (await request(app_of(shop), "GET", "/api/v1/order/abc")).json["data"] == {}


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "café", "\x7f"])
async def test_a_key_that_is_none(app, shop, key):
    answer = await request(app, "POST", "/api/v1/order/submit", SUBMIT, headers=[("idempotency-key", key)])
    assert (answer.status, answer.json["code"]) == (400, 40001)
    assert "Idempotency-Key" in answer.json["msg"]
    assert not shop.requests


async def test_path_and_query(app, shop):
    answer = await request(app, "GET", "/api/v1/order/abc")
    assert answer.json["data"]["orderID"] == "abc"  # the field that response_body names is the data
    await request(app, "GET", "/api/v1/order/list", query="page=1&limit=5&sort=-id")
    await request(app, "PUT", "/api/v1/order/abc", b'{"status":2}')
    await request(app, "DELETE", "/api/v1/order/abc")
    await request(app, "POST", "/api/v1/order/list", b'{"page":2}')
    assert shop.requests == [
        order_pb2.GetRequest(order_id="abc"),
        order_pb2.ListRequest(page=1, limit=5, sort="-id"),
        order_pb2.UpdateRequest(order_id="abc", status=2),
        order_pb2.DeleteRequest(order_id="abc"),
        order_pb2.SearchRequest(page=2),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "code", "message"),
    [
        ("POST", "/api/v1/order/submit", b"", "", 40000, "empty"),
        ("POST", "/api/v1/order/submit", b'{"productCount":-1}', "", 40000, "productCount: expected integer >= 0"),
        ("POST", "/api/v1/order/submit", b'{"amount":"87"}', "", 40000, "amount: expected integer, got string"),
        ("POST", "/api/v1/order/submit", b'{"price":87}', "", 40000, "unknown field price"),
        ("POST", "/api/v1/order/submit", b'{"orderID":"x"}', "", 40000, "unknown field orderID"),
        ("POST", "/api/v1/order/submit", b'{"a":"\xff', "", 40000, ""),
        ("POST", "/api/v1/order/submit", SUBMIT + b"x", "", 40000, "trailing"),
        ("POST", "/api/v1/order/submit", SUBMIT, "a=1", 40000, "unknown parameter 'a'"),
        ("POST", "/api/v1/order/submit", b"{}", "", 40001, "userID: must be greater than 0"),
        ("PUT", "/api/v1/order/abc", b'{"status":2,"orderID":"abc"}', "", 40000, "unknown field orderID"),
        ("PUT", "/api/v1/order/abc", b'{"status":5}', "", 40001, "status"),
        ("GET", "/api/v1/order/list", b"", "limit=101", 40001, "limit"),
        ("GET", "/api/v1/order/list", b"", "limit=-1", 40000, "limit"),
        ("POST", "/api/v1/order/list", b'{"columns":[{"name":""}]}', "", 40001, r"columns\[0\].name"),
        ("GET", "/api/v1/order/submit", b"", "", 40500, "takes POST"),
        ("PATCH", "/api/v1/order/abc", b"", "", 40500, "takes DELETE, GET, PUT"),
        ("GET", "/api/v1/order/submit/", b"", "", 40400, "no such route"),
        ("GET", "/api/v2/order", b"", "", 40400, "no such route: /api/v2/order"),
        ("POST", "/", b"", "", 40400, "no such route"),
    ],
)
async def test_what_is_refused_reaches_no_handler(app, shop, method, path, body, query, code, message):
    answer = await request(app, method, path, body, query=query)
    assert (answer.status, answer.json["code"], answer.json["data"]) == (code // 100, code, {})
    assert re.search(message, answer.json["msg"])
    assert not shop.requests


async def test_the_methods_of_a_path_are_named(app):
    assert (await request(app, "POST", "/api/v1/order/abc")).headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize("error", [StockInsufficient("3 left"), Unavailable("try again"), TooLarge("too many items")])
async def test_an_error_of_the_shop(error):
    answer = await request(app_of(Shop(error)), "POST", "/api/v1/order/submit", SUBMIT)
    assert answer.status == error.http_status
    assert answer.json == {"code": error.code, "msg": error.message, "data": {}}


async def test_a_fault_is_logged_and_tells_the_caller_nothing():
    with capture_logs() as logs:
        answer = await request(app_of(Shop(RuntimeError("password=hunter2"))), "POST", "/api/v1/order/submit", SUBMIT)
    assert (answer.status, answer.json) == (500, {"code": 50000, "msg": "internal error", "data": {}})
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [("request failed", True)]


async def test_a_body_in_parts(app, shop):
    answer = await request(app, "POST", "/api/v1/order/submit", chunks=[SUBMIT[:9], b"", SUBMIT[9:]])
    assert (answer.status, len(shop.requests)) == (200, 1)


async def test_the_largest_body(app, shop):
    room = MAX_BODY - len(b'{"sort":""}')
    body = b'{"sort":"' + b"x" * room + b'"}'
    assert (await request(app, "POST", "/api/v1/order/list", body)).status == 200
    answer = await request(app, "POST", "/api/v1/order/list", body + b" ", length=1)
    assert (answer.status, answer.json["code"]) == (413, 41300)
    assert len(shop.requests) == 1


async def test_a_body_announced_too_large_is_answered_before_it_is_read(app, shop):
    parts = [b"x" * 65536] * 160
    answer = await request(app, "POST", "/api/v1/order/submit", chunks=parts, length=10 * 1024 * 1024)
    assert (answer.status, answer.json["code"]) == (413, 41300)
    assert answer.headers["connection"] == "close"
    assert (answer.reads_before_answer, answer.reads) == (0, 160)  # the rest is dropped, so that the answer arrives
    assert not shop.requests


async def test_a_body_of_unknown_length_is_cut_off(app, shop):
    answer = await request(app, "POST", "/api/v1/order/submit", chunks=[b"x" * 65536] * 1000)
    assert (answer.status, answer.json["code"]) == (413, 41300)
    assert answer.reads_before_answer == 17
    assert answer.reads == 17 + 256  # not even to drop it is all of it read
    assert not shop.requests


@pytest.mark.parametrize("chunks", [[None], [SUBMIT[:9], None]])
async def test_a_client_that_leaves_gets_nothing_and_changes_nothing(app, shop, chunks):
    with capture_logs() as logs:
        answer = await request(app, "POST", "/api/v1/order/submit", chunks=chunks)
    assert (answer.messages, shop.requests, logs) == ([], [], [])


async def test_a_websocket_is_closed(app):
    sent = []

    async def send(message):
        sent.append(message)

    await app({"type": "websocket", "path": "/api/v1/order", "root_path": "", "headers": []}, None, send)
    assert sent == [{"type": "websocket.close"}]


FUZZED = Shop()
FUZZED_APP = app_of(FUZZED)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "BREW"]),
    st.sampled_from(["/api/v1/order", "/api/v1/order/submit", "/api/v1/order/list", "/api/v1/order/x", "/x", "//", ""]),
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["userID", "amount", "columns", "name", "value", "page", "x"]), inner, max_size=4
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.text(st.characters(codec="ascii"), max_size=20),
)
async def test_no_input_is_a_fault(method, path, body, query):
    FUZZED.requests.clear()
    answer = await request(FUZZED_APP, method, path, body, query=query)
    assert answer.status in (200, 400, 404, 405)
    assert set(answer.json) == {"code", "msg", "data"}
    assert bool(FUZZED.requests) == (answer.status == 200)


def test_two_calls_of_one_route_are_refused_at_start():
    rpcs = bind(ORDER_SERVICE, Shop())
    with pytest.raises(TypeError, match="is taken"):
        rest.routes("order", [*rpcs, *rpcs])
