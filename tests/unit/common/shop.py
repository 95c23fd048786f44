"""An OrderService that remembers what it was asked, and its REST app."""

from __future__ import annotations

from services.common import rest
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.rpc import bind

ORDER_SERVICE = order_pb2.DESCRIPTOR.services_by_name["OrderService"]
SUBMIT = b'{"userID":1,"productID":2,"productCount":3,"amount":87,"couponID":0}'


class Shop:
    """Answers every call from its request; waits while `held` is an unset event; raises `error` when there is one."""

    def __init__(self, error=None):
        self.requests = []
        self.error = error
        self.held = None

    def __getattr__(self, name):
        async def answer(request):
            self.requests.append(request)
            if self.held:
                await self.held.wait()
            if self.error:
                raise self.error
            return self.answers[name](request)

        return answer

    answers = {  # noqa: RUF012 - a table
        "create": lambda request: order_pb2.CreateResponse(order_id=request.order_id),
        "submit": lambda request: order_pb2.SubmitResponse(order_id=request.order_id),
        "send_submit_notify": lambda request: order_pb2.SendSubmitNotifyResponse(order_id=request.order_id),
        "get": lambda request: order_pb2.GetResponse(order=an_order(order_id=request.order_id)),
        "update": lambda request: order_pb2.UpdateResponse(),
        "delete": lambda request: order_pb2.DeleteResponse(),
        "list": lambda request: order_pb2.ListResponse(list=[an_order()], total=2**64 - 1),
        "search": lambda request: order_pb2.SearchResponse(list=[], total=0),
    }


def an_order(**changes):
    given = {
        "id": 7,
        "order_id": "01JD9ZK3V6J8Q4S5T6W7X8Y9Z0",
        "user_id": 2**63,
        "product_id": 2,
        "product_count": 3,
        "amount": 87,
        "status": 1,
        "source": 1,
        "created_at": "2026-01-02T03:04:05.067Z",
        "updated_at": "2026-01-02T03:04:05.067Z",
    }
    return order_pb2.Order(**{**given, **changes})


def app_of(shop):
    return rest.application(rest.routes("order", bind(ORDER_SERVICE, shop)))
