"""The JSON of the REST contract, byte for byte: what clients of the original and of earlier versions rely on."""

from __future__ import annotations

import pytest

from services.common import errors, rest
from services.common.ids import derived_id
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.pay.v1 import pay_pb2
from services.common.pb.eshop.product.v1 import product_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.common.pb.eshop.user.v1 import user_pb2
from services.common.rpc import bind
from tests.asgi import request

ORDER_ID = "01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"
TIMES = {"created_at": "2026-01-02T03:04:05.067Z", "updated_at": "2026-01-02T03:04:06.000Z"}
KEY = [("idempotency-key", "a key")]


class Canned:
    """Answers every call of a service with one response, or raises one error; keeps the request."""

    def __init__(self, response):
        self.response = response
        self.request = None

    def __getattr__(self, name):
        async def answer(given):
            self.request = given
            if isinstance(self.response, Exception):
                raise self.response
            return self.response

        return answer


def app_of(module, service, canned):
    return rest.application(rest.routes("test", bind(module.DESCRIPTOR.services_by_name[service], canned)))


ANSWERS = [
    (user_pb2, "UserService", "POST", "/api/v1/user", b'{"name":"a","password":"secret1","email":"a@b.org"}',
     user_pb2.CreateResponse(id=18446744073709551615),
     b'{"code":0,"msg":"ok","data":{"id":18446744073709551615}}'),
    (user_pb2, "UserService", "GET", "/api/v1/user/7", b"",
     user_pb2.GetResponse(user=user_pb2.User(
         id=7, name='Zo\u00eb "Z" \U0001f600\n', email="z@b.org", login_at=1767322445, **TIMES)),
     '{"code":0,"msg":"ok","data":{"id":7,"name":"Zo\u00eb \\"Z\\" \U0001f600\\n","email":"z@b.org","phone":"",'
     '"avatar":"","age":0,"gender":0,"status":0,"loginAt":1767322445,"loginType":0,"createdAt":"2026-01-02T03:04:05.067Z",'
     '"updatedAt":"2026-01-02T03:04:06.000Z"}}'.encode()),
    (user_pb2, "UserService", "PUT", "/api/v1/user/7", b'{"age":0}', user_pb2.UpdateResponse(),
     b'{"code":0,"msg":"ok","data":{}}'),
    (user_pb2, "UserService", "DELETE", "/api/v1/user/7", b"", user_pb2.DeleteResponse(),
     b'{"code":0,"msg":"ok","data":{}}'),
    (user_pb2, "UserService", "GET", "/api/v1/user/list", b"", user_pb2.ListResponse(),
     b'{"code":0,"msg":"ok","data":{"list":[],"total":0}}'),
    (user_pb2, "UserService", "POST", "/api/v1/user/list",
     b'{"page":0,"limit":20,"sort":"-id,name","columns":[{"name":"age","exp":">=","value":18,"logic":"||"}]}',
     user_pb2.SearchResponse(total=7), b'{"code":0,"msg":"ok","data":{"list":[],"total":7}}'),
    (product_pb2, "ProductService", "POST", "/api/v1/product", b'{"name":"mug","price":1299}',
     product_pb2.CreateResponse(id=3), b'{"code":0,"msg":"ok","data":{"id":3}}'),
    (product_pb2, "ProductService", "GET", "/api/v1/product/list", b"",
     product_pb2.ListResponse(list=[product_pb2.Product(id=1, name="mug", price=1299, **TIMES)], total=3),
     b'{"code":0,"msg":"ok","data":{"list":[{"id":1,"name":"mug","price":1299,"photo":"","description":"",'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}],"total":3}}'),
    (stock_pb2, "StockService", "POST", "/api/v1/stock", b'{"productID":1,"stock":100}', stock_pb2.SetResponse(id=4),
     b'{"code":0,"msg":"ok","data":{"id":4}}'),
    (stock_pb2, "StockService", "GET", "/api/v1/stock/list", b"",
     stock_pb2.ListResponse(list=[stock_pb2.Stock(id=4, product_id=1, **TIMES)], total=1),
     b'{"code":0,"msg":"ok","data":{"list":[{"id":4,"productID":1,"stock":0,'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}],"total":1}}'),
    (stock_pb2, "StockService", "GET", "/api/v1/stock/4", b"",
     stock_pb2.GetResponse(stock=stock_pb2.Stock(id=4, product_id=1, stock=99, **TIMES)),
     b'{"code":0,"msg":"ok","data":{"id":4,"productID":1,"stock":99,'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}}'),
    (stock_pb2, "StockService", "POST", "/api/v1/stock/setFlashSale", b'{"productID":1,"stock":50,"limitPerUser":1}',
     stock_pb2.SetFlashSaleResponse(sale_id=9), b'{"code":0,"msg":"ok","data":{"saleID":9}}'),
    (coupon_pb2, "CouponService", "POST", "/api/v1/coupon", b'{"userID":1,"amount":50}',
     coupon_pb2.CreateResponse(id=2), b'{"code":0,"msg":"ok","data":{"id":2}}'),
    (coupon_pb2, "CouponService", "GET", "/api/v1/coupon/list", b"",
     coupon_pb2.ListResponse(), b'{"code":0,"msg":"ok","data":{"list":[],"total":0}}'),
    (coupon_pb2, "CouponService", "GET", "/api/v1/coupon/2", b"",
     coupon_pb2.GetResponse(coupon=coupon_pb2.Coupon(id=2, user_id=1, amount=50, status=1, **TIMES)),
     b'{"code":0,"msg":"ok","data":{"id":2,"userID":1,"amount":50,"status":1,"expiresAt":"","orderID":"",'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}}'),
    (pay_pb2, "PayService", "GET", "/api/v1/pay/2", b"",
     pay_pb2.GetResponse(pay=pay_pb2.Pay(id=2, user_id=1, order_id=ORDER_ID, amount=87, status=1, **TIMES)),
     b'{"code":0,"msg":"ok","data":{"id":2,"userID":1,"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0","amount":87,"status":1,'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}}'),
    (order_pb2, "OrderService", "POST", "/api/v1/order/submit",
     b'{"userID":1,"productID":1,"amount":87,"productCount":1,"couponID":0}',
     order_pb2.SubmitResponse(order_id=ORDER_ID),
     b'{"code":0,"msg":"ok","data":{"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"}}'),
    (order_pb2, "OrderService", "POST", "/api/v1/order/sendSubmitNotify",
     b'{"userID":1,"productID":1,"amount":88,"productCount":1}', order_pb2.SendSubmitNotifyResponse(order_id=ORDER_ID),
     b'{"code":0,"msg":"ok","data":{"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"}}'),
    (order_pb2, "OrderService", "GET", "/api/v1/order/list", b"",
     order_pb2.ListResponse(), b'{"code":0,"msg":"ok","data":{"list":[],"total":0}}'),
    (order_pb2, "OrderService", "POST", "/api/v1/order",
     b'{"userID":1,"productID":1,"amount":87,"productCount":1,"couponID":0}',
     order_pb2.CreateResponse(order_id=ORDER_ID),
     b'{"code":0,"msg":"ok","data":{"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"}}'),
    (order_pb2, "OrderService", "GET", f"/api/v1/order/{ORDER_ID}", b"",
     order_pb2.GetResponse(order=order_pb2.Order(
         id=5, order_id=ORDER_ID, user_id=1, product_id=1, product_count=1, amount=88, status=5, source=2,
         reason="the stock has too few units", **TIMES)),
     b'{"code":0,"msg":"ok","data":{"id":5,"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0","userID":1,"productID":1,"productCount":1,'
     b'"amount":88,"couponID":0,"status":5,"source":2,"saleID":0,"reason":"the stock has too few units",'
     b'"createdAt":"2026-01-02T03:04:05.067Z","updatedAt":"2026-01-02T03:04:06.000Z"}}'),
    (flash_sale_pb2, "FlashSaleService", "POST", "/api/v1/flashSale", b'{"userID":1,"productID":1,"amount":100}',
     flash_sale_pb2.BuyResponse(order_id=ORDER_ID),
     b'{"code":0,"msg":"ok","data":{"orderID":"01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"}}'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "service", "method", "path", "body", "response", "expected"),
    ANSWERS,
    ids=[f"{method} {path}" for _, _, method, path, *_ in ANSWERS],
)
async def test_answers(module, service, method, path, body, response, expected):
    answer = await request(app_of(module, service, Canned(response)), method, path, body)
    assert (answer.status, answer.body) == (200, expected)


BOUGHT = ("eshop.flash_sale.v1.FlashSaleService.Buy", "1", "1")  # the call, the user and the product

ERRORS = [
    (errors.SoldOut("sold out"), 409, b'{"code":40901,"msg":"sold out","data":{}}'),
    (errors.StockInsufficient("too few units"), 409, b'{"code":40902,"msg":"too few units","data":{}}'),
    (errors.CouponNotUsable("the coupon is used"), 409, b'{"code":40903,"msg":"the coupon is used","data":{}}'),
    (errors.LimitReached("one per user"), 409, b'{"code":40904,"msg":"one per user","data":{}}'),
    (errors.AlreadyExists("email: taken"), 409, b'{"code":40905,"msg":"email: taken","data":{}}'),
    (errors.OrderInFlight("not finished"), 409, b'{"code":40906,"msg":"not finished","data":{}}'),
    (errors.Conflict("paid"), 409, b'{"code":40900,"msg":"paid","data":{}}'),
    (errors.NotFound("no user"), 404, b'{"code":40400,"msg":"no user","data":{}}'),
    (errors.InvalidQuery("no column"), 400, b'{"code":40002,"msg":"no column","data":{}}'),
    (errors.KeyReused("another request"), 422, b'{"code":42200,"msg":"another request","data":{}}'),
    (errors.Unavailable("try again"), 503, b'{"code":50300,"msg":"try again","data":{}}'),
    (
        errors.UnknownOutcome("ask"),
        504,
        b'{"code":50400,"msg":"ask","data":{"orderID":"%s"}}' % derived_id(*BOUGHT, "a key").encode(),
    ),
    (ZeroDivisionError("division by zero"), 500, b'{"code":50000,"msg":"internal error","data":{}}'),
]


@pytest.mark.parametrize(("error", "status", "expected"), ERRORS, ids=lambda value: type(value).__name__)
async def test_errors(error, status, expected):
    app = app_of(flash_sale_pb2, "FlashSaleService", Canned(error))
    answer = await request(app, "POST", "/api/v1/flashSale", b'{"userID":1,"productID":1,"amount":100}', headers=KEY)
    assert (answer.status, answer.body) == (status, expected)


async def test_an_unknown_outcome_that_concerns_no_order():
    app = app_of(user_pb2, "UserService", Canned(errors.UnknownOutcome("ask")))
    answer = await request(app, "DELETE", "/api/v1/user/7")
    assert (answer.status, answer.body) == (504, b'{"code":50400,"msg":"ask","data":{}}')


REFUSALS = [
    (b'{"userID":1,"productID":1,"productCount":-1,"amount":87}', 400,
     b'{"code":40000,"msg":"productCount: expected integer >= 0","data":{}}'),
    (b'{"userID":1,"productID":1,"productCount":"1","amount":87}', 400,
     b'{"code":40000,"msg":"productCount: expected integer, got string","data":{}}'),
    (b'{"userID":1,"productID":1,"productCount":1,"amount":87,"price":1}', 400,
     b'{"code":40000,"msg":"unknown field price","data":{}}'),
    (b'{"userID":1,"productID":1,"productCount":0,"amount":87}', 400,
     b'{"code":40001,"msg":"productCount: must be greater than 0","data":{}}'),
    (b'{"userID":"\xff"}', 400, b'{"code":40000,"msg":"userID: expected integer, got string","data":{}}'),
    (b'{"\xff":1}', 400, b'{"code":40000,"msg":"the body is not UTF-8","data":{}}'),
    (b" " * (10 * 1024 * 1024), 413, b'{"code":41300,"msg":"the body is larger than 1048576 bytes","data":{}}'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "expected"), REFUSALS, ids=[body[:60] for body, _, _ in REFUSALS])
async def test_refusals(body, status, expected):
    canned = Canned(order_pb2.SubmitResponse())
    answer = await request(app_of(order_pb2, "OrderService", canned), "POST", "/api/v1/order/submit", body)
    assert (answer.status, answer.body) == (status, expected)
    assert canned.request is None


ELSEWHERE = [
    ("GET", "/api/v1/orders", 404, b'{"code":40400,"msg":"no such route: /api/v1/orders","data":{}}'),
    ("DELETE", "/api/v1/order/submit", 405, b'{"code":40500,"msg":"/api/v1/order/submit takes POST","data":{}}'),
    ("GET", "/api/v1/order/list?limit=101", 400,
     b'{"code":40001,"msg":"limit: must be less than or equal to 100","data":{}}'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status", "expected"), ELSEWHERE, ids=[path for _, path, *_ in ELSEWHERE])
async def test_other_refusals(method, path, status, expected):
    path, _, query = path.partition("?")
    app = app_of(order_pb2, "OrderService", Canned(order_pb2.ListResponse()))
    answer = await request(app, method, path, query=query)
    assert (answer.status, answer.body) == (status, expected)


async def test_the_originals_request_bodies_are_understood():
    """As its load scripts and its documentation send them."""
    canned = Canned(order_pb2.SubmitResponse(order_id=ORDER_ID))
    body = b'{\n  "userID": 1,\n  "productID": 1,\n  "amount": 87,\n  "productCount": 1,\n  "couponID": 0\n}'
    app = app_of(order_pb2, "OrderService", canned)
    assert (await request(app, "POST", "/api/v1/order/submit", body, headers=KEY)).status == 200
    assert canned.request == order_pb2.SubmitRequest(
        user_id=1, product_id=1, product_count=1, amount=87, order_id="KTJ6CBYJ60D9YM5KKV8NDNCJ7G"
    )
