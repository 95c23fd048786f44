"""The gateway's calls: forwarded to their service over gRPC, alone or in batches, errors and all."""

from __future__ import annotations

import asyncio

import pytest

from services.common.errors import Invalid, StockInsufficient, Unavailable, UnknownOutcome
from services.common.grpc_channel import GrpcChannel
from services.common.grpc_server import GrpcServer
from services.common.pb.eshop.order.v1 import order_pb2
from services.gateway.routes import forwarded
from tests.unit.common.shop import ORDER_SERVICE, an_order


class Orders:
    """The order service; product 13 is out of stock, and `hold` keeps everybody waiting."""

    def __init__(self):
        self.batches = []
        self.began = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()

    async def get(self, request):
        self.began.set()
        await self.hold.wait()
        return order_pb2.GetResponse(order=an_order(order_id=request.order_id))

    async def submit_many(self, request):
        self.batches.append([one.user_id for one in request.requests])
        self.began.set()
        await self.hold.wait()
        return order_pb2.SubmitManyResponse(results=[self._result(one) for one in request.requests])

    @staticmethod
    def _result(one):
        if one.product_id == 13:
            return order_pb2.SubmitResult(error=StockInsufficient("none left").to_proto())
        return order_pb2.SubmitResult(response=order_pb2.SubmitResponse(order_id=one.order_id))

    def __getattr__(self, name):
        async def other(request):
            raise Unavailable(name)

        return other


@pytest.fixture
async def orders():
    return Orders()


@pytest.fixture
async def server(orders, unused_tcp_port):
    server = GrpcServer(unused_tcp_port)
    server.add_service(ORDER_SERVICE, orders)
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def calls(server, unused_tcp_port):
    channel = GrpcChannel("order", f"127.0.0.1:{unused_tcp_port}")
    yield {rpc.method.name: rpc.call for rpc in forwarded(channel, ORDER_SERVICE, 2.0, in_flight=1, pace=0)}
    await channel.close()


def submit(user, product=2, **fields):
    given = {"product_count": 1, "amount": 87, "order_id": f"order-of-user-{user:08}"}
    return order_pb2.SubmitRequest(user_id=user, product_id=product, **{**given, **fields})


async def test_only_public_calls_are_forwarded(calls):
    assert calls.keys() == {"Submit", "SendSubmitNotify", "Get", "List"}


async def test_a_single_call(calls):
    response = await calls["Get"](order_pb2.GetRequest(order_id="somebody-ordered-this"))
    assert response.order.order_id == "somebody-ordered-this"


async def test_an_error_of_the_service_is_the_same_error_here(calls):
    with pytest.raises(Unavailable, match="list"):
        await calls["List"](order_pb2.ListRequest())


async def test_what_waits_travels_together(calls, orders):
    orders.hold.clear()
    waiting = [asyncio.create_task(calls["Submit"](submit(1)))]
    await orders.began.wait()
    waiting += [asyncio.create_task(calls["Submit"](submit(user))) for user in (2, 3, 4)]
    await asyncio.sleep(0.02)
    orders.hold.set()
    answers = await asyncio.gather(*waiting)
    assert [answer.order_id for answer in answers] == [submit(user).order_id for user in (1, 2, 3, 4)]
    assert orders.batches == [[1], [2, 3, 4]]


async def test_one_member_fails_alone(calls):
    answers = await asyncio.gather(
        calls["Submit"](submit(1)), calls["Submit"](submit(2, product=13)), return_exceptions=True
    )
    assert answers[0].order_id == submit(1).order_id
    assert isinstance(answers[1], StockInsufficient)


async def test_a_bad_member_does_not_spoil_a_batch(calls, orders):
    answers = await asyncio.gather(
        calls["Submit"](submit(1)), calls["Submit"](submit(2, amount=0)), return_exceptions=True
    )
    assert answers[0].order_id
    assert isinstance(answers[1], Invalid)
    assert orders.batches == [[1]]


async def test_a_buyer_who_leaves_takes_nobody_along(calls, orders):
    orders.hold.clear()
    leaving, staying = (asyncio.create_task(calls["Submit"](submit(user))) for user in (1, 2))
    await orders.began.wait()
    leaving.cancel()
    await asyncio.sleep(0.02)
    orders.hold.set()
    assert (await staying).order_id == submit(2).order_id


async def test_a_service_that_is_silent_is_an_unknown_outcome(calls, orders):
    orders.hold.clear()
    with pytest.raises(UnknownOutcome):
        await calls["Submit"](submit(1))
    orders.hold.set()


@pytest.mark.parametrize(
    ("name", "request_", "error"),
    [("Submit", submit(1), UnknownOutcome), ("Get", order_pb2.GetRequest(order_id="x"), Unavailable)],
)
async def test_a_call_that_was_lost_on_its_way_may_have_changed_something(calls, orders, server, name, request_, error):
    """Unavailable says that nothing was changed: true of what only reads."""
    orders.hold.clear()
    waiting = asyncio.create_task(calls[name](request_))
    await orders.began.wait()
    await server.stop(0)
    with pytest.raises(error):
        await waiting
