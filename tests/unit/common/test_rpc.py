"""Rpc: implementations bound to descriptors, behind the rules of the protos."""

from __future__ import annotations

import pytest

from services.common.errors import Invalid
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.user.v1 import user_pb2
from services.common.rpc import bind, validate
from tests.unit.common.shop import ORDER_SERVICE, Shop

ORDER_ID = "01JD9ZK3V6J8Q4S5T6W7X8Y9Z0"


def submit(**fields):
    return order_pb2.SubmitRequest(
        **{"user_id": 1, "product_id": 2, "product_count": 3, "amount": 87, "order_id": ORDER_ID, **fields}
    )


def test_every_method_is_bound_by_its_snake_case_name():
    found = {rpc.path: rpc for rpc in bind(ORDER_SERVICE, Shop())}
    rpc = found["/eshop.order.v1.OrderService/SendSubmitNotify"]
    assert (rpc.request, rpc.response) == (order_pb2.SendSubmitNotifyRequest, order_pb2.SendSubmitNotifyResponse)
    assert len(found) == len(ORDER_SERVICE.methods)


def test_a_missing_method_is_an_error_at_start():
    class Half:
        async def create(self, request):
            """The only one."""

    with pytest.raises(TypeError, match=r"Half has no method submit for eshop\.order\.v1\.OrderService\.Submit"):
        bind(ORDER_SERVICE, Half())


async def test_the_rules_come_before_the_implementation():
    shop = Shop()
    [call] = [rpc.call for rpc in bind(ORDER_SERVICE, shop) if rpc.method.name == "Submit"]
    with pytest.raises(Invalid):
        await call(submit(product_count=0))
    assert shop.requests == []
    assert (await call(submit())).order_id == ORDER_ID


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (submit(product_count=0), "productCount: "),
        (submit(user_id=0, amount=0), "userID: "),
        (order_pb2.ListRequest(limit=101), "limit: "),
        (coupon_pb2.SearchRequest(columns=[{"name": ""}]), "columns[0].name: "),
        (order_pb2.SubmitManyRequest(requests=[submit(), submit(amount=0)]), "requests[1].amount: "),
        (user_pb2.CreateRequest(name="x", password="secret", email="nobody"), "email: "),
    ],
)
def test_a_broken_rule_names_the_field_as_the_contract_does(message, words):
    with pytest.raises(Invalid) as caught:
        validate(message)
    assert words in caught.value.message


def test_every_broken_rule_is_told():
    with pytest.raises(Invalid) as caught:
        validate(submit(user_id=0, product_id=0, amount=0))
    assert caught.value.message.count(";") == 2
