from __future__ import annotations

import pytest
import schemathesis
from jsonschema import Draft202012Validator

from services.common import openapi, proto_comments, rest
from services.common.errors import Malformed
from services.common.json_codec import decoder, encoder
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.errors.v1 import errors_pb2
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.pay.v1 import pay_pb2
from services.common.pb.eshop.product.v1 import product_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.common.pb.eshop.user.v1 import user_pb2
from services.common.rpc import Rpc, bind
from tests.asgi import request
from tests.unit.common.shop import Shop, an_order, app_of

MODULES = [user_pb2, product_pb2, order_pb2, stock_pb2, coupon_pb2, pay_pb2, flash_sale_pb2]


@pytest.fixture(scope="module")
def rpcs():
    services = [service for module in MODULES for service in module.DESCRIPTOR.services_by_name.values()]
    return [rpc for service in services for rpc in bind(service, Shop())]


@pytest.fixture(scope="module")
def document(rpcs):
    return openapi.document("all", rpcs)


def operation(document, operation_id):
    found = [one for path in document["paths"].values() for one in path.values() if one["operationId"] == operation_id]
    assert len(found) == 1
    return found[0]


def validator(document, name):
    components = {"components": document["components"]}
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **components})


def test_every_route_is_described_and_nothing_else(rpcs, document):
    described = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs}
    served = {
        (route.path, verb.lower())
        for route in rest.routes("all", rpcs)
        for verb in getattr(route.endpoint, "calls", ())
    }
    assert {(path.replace("orderID", "order_id"), verb) for path, verb in described} == served


def test_it_is_openapi_3_1(document):
    """By schemathesis, which resolves every reference; and the schemas are JSON Schemas by their own rules."""
    loaded = schemathesis.openapi.from_dict(document)
    loaded.validate()
    operations = [result.ok() for result in loaded.get_all_operations()]
    assert len(operations) == sum(len(verbs) for verbs in document["paths"].values())
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_comments_come_along(document):
    assert {"name": "PayService", "description": "PayService: the payments of the shop."} in document["tags"]
    submit = operation(document, "OrderService_Submit")
    assert submit["description"] == "Places an order and answers when the outcome is known."
    assert submit["summary"] == "Places an order and answers when the outcome is known"
    schemas = document["components"]["schemas"]
    assert schemas["order.SubmitRequest"]["description"] == "What a buyer orders."
    assert schemas["order.SubmitRequest"]["properties"]["couponID"]["description"] == "0: none."
    listed = operation(document, "UserService_List")["parameters"]
    assert listed[1]["description"] == "Rows a page, at most 100; 0 means 10."


def test_every_public_call_and_field_of_a_request_is_explained_or_speaks_for_itself(rpcs):
    comments = proto_comments.load()
    assert [rpc.method.full_name for rpc in rpcs if not comments.get(rpc.method.full_name)] == []
    assert [name for name, _ in errors_pb2.ErrorCode.items() if not comments.get(f"eshop.errors.v1.{name}")] == []


def test_rules_become_schema(document):
    properties = document["components"]["schemas"]["user.CreateRequest"]["properties"]
    assert properties["name"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 50,
        "description": "1 to 50 characters.",
    }
    assert properties["age"] == {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 127}
    assert properties["email"]["format"] == "email"
    schemas = document["components"]["schemas"]
    assert schemas["user.CreateRequest"]["required"] == ["name", "password", "email"]
    assert schemas["order.SubmitRequest"]["required"] == ["userID", "productID", "productCount", "amount"]
    assert schemas["order.SubmitRequest"]["properties"]["userID"]["minimum"] == 1
    assert schemas["order.SubmitRequest"]["properties"]["userID"]["maximum"] == 2**64 - 1
    assert schemas["order.UpdateRequest"]["properties"]["status"]["enum"] == [2, 3, 4]
    assert schemas["pay.UpdateRequest"]["properties"]["status"]["enum"] == [1, 2, 4, None]
    assert schemas["order.SearchRequest"]["properties"]["columns"]["maxItems"] == 20
    assert "orderID" not in schemas["order.SubmitRequest"]["properties"]
    assert "password" not in schemas["user.User"]["properties"]


def test_the_key_belongs_to_calls_that_make_orders(document):
    keyed = {
        one["operationId"]
        for verbs in document["paths"].values()
        for one in verbs.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in one.get("parameters", []))
    }
    assert keyed == {
        "OrderService_Create",
        "OrderService_Submit",
        "OrderService_SendSubmitNotify",
        "FlashSaleService_Buy",
    }


def test_errors_name_their_codes(document):
    conflict = document["components"]["responses"]["Error409"]
    schema = conflict["content"]["application/json"]["schema"]
    assert set(schema["properties"]["code"]["enum"]) == {
        code for code in errors_pb2.ErrorCode.values() if code // 100 == 409
    }
    assert "`40902` The ordinary stock has too few units." in conflict["description"]
    assert set(operation(document, "OrderService_Get")["responses"]) == {"200", "400", "404", "500", "503"}


def test_path_parameters_go_by_the_contracts_names(document):
    get = document["paths"]["/api/v1/order/{orderID}"]["get"]
    assert get["parameters"] == [
        {"name": "orderID", "in": "path", "schema": {"type": "string", "minLength": 1}, "required": True}
    ]


BODIES = [
    b"{}",
    b'{"userID":1,"productID":2,"productCount":3,"amount":87,"couponID":0}',
    b'{"userID":1,"productID":2,"productCount":3,"amount":4294967296}',
    b'{"userID":"1","productID":2,"productCount":3,"amount":1}',
    b'{"userID":1,"productID":2,"productCount":3,"amount":1,"extra":1}',
    b'{"userID":1,"productID":2,"productCount":0,"amount":1}',
    b'{"userID":1,"productID":2,"productCount":3,"amount":null}',
    b'{"userID":18446744073709551615,"productID":2,"productCount":3,"amount":1}',
]


@pytest.mark.parametrize("body", BODIES)
async def test_the_schema_says_what_the_server_does(document, body):
    answer = await request(app_of(Shop()), "POST", "/api/v1/order/submit", body)
    from json import loads

    assert validator(document, "order.SubmitRequest").is_valid(loads(body)) == (answer.status == 200)


def test_answers_fit_their_schema(document):
    import json

    for message, name in (
        (an_order(), "order.Order"),
        (order_pb2.ListResponse(list=[an_order()]), "order.ListResponse"),
    ):
        validator(document, name).validate(json.loads(encoder(type(message))(message)))
    with pytest.raises(Malformed):
        decoder(order_pb2.Order)(b'{"extra":1}')


async def test_it_is_served_beside_swagger_ui():
    app = app_of(Shop())
    answer = await request(app, "GET", "/apis/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["info"]["title"] == "eshop order"
    assert "/api/v1/order/submit" in answer.json["paths"]


def test_a_gateway_describes_forwarded_calls_too():
    method = flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"].methods_by_name["Buy"]
    rpc = Rpc(method, flash_sale_pb2.BuyRequest, flash_sale_pb2.BuyResponse, call=None)
    assert list(openapi.document("gateway", [rpc])["paths"]) == ["/api/v1/flashSale"]
