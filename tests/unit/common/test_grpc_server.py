"""GrpcServer: how errors leave a public call and a branch, health and reflection; and that callers may be known."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common.errors import NotFound, SoldOut, StockInsufficient, Unavailable, from_grpc
from services.common.grpc_channel import GrpcChannel, answer
from services.common.grpc_server import GrpcServer
from services.common.pb.eshop.order.v1 import branches_pb2, branches_pb2_grpc, order_pb2, order_pb2_grpc
from services.common.repeats import is_repeated_call
from tests.unit.common.shop import ORDER_SERVICE, Shop

BRANCHES = branches_pb2.DESCRIPTOR.services_by_name["OrderBranches"]
DTM = (("dtm-trans_type", "saga"), ("dtm-gid", "g"), ("dtm-branch_id", "01"), ("dtm-op", "action"))


class Branches:
    error = None

    async def create_orders(self, request, call):
        self.call = call
        if self.error:
            raise self.error
        return Empty()

    create_orders_revert = create_orders


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def branches():
    return Branches()


@pytest.fixture
async def channel(shop, branches, unused_tcp_port):
    server = GrpcServer(unused_tcp_port)
    server.add_service(ORDER_SERVICE, shop)
    server.add_branches(BRANCHES, branches)
    await server.start()
    await server.set_serving(True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{unused_tcp_port}") as channel:
        yield channel
    await server.stop(0)


async def test_an_error_travels_with_its_code(channel, shop):
    shop.error = NotFound("no order x")
    stub = order_pb2_grpc.OrderServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(order_pb2.GetRequest(order_id="x"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert ("eshop-code", "40400") in tuple(caught.value.trailing_metadata())
    with pytest.raises(NotFound, match="no order x"):
        await answer(stub.Get(order_pb2.GetRequest(order_id="x")))


async def test_broken_rules_are_refused_over_grpc_too(channel):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await order_pb2_grpc.OrderServiceStub(channel).Get(order_pb2.GetRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_fault_of_ours_shows_nothing(channel, shop):
    shop.error = ZeroDivisionError("secret")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await order_pb2_grpc.OrderServiceStub(channel).Get(order_pb2.GetRequest(order_id="x"))
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "internal error")


async def test_a_branch_gets_dtms_call(channel, branches):
    await branches_pb2_grpc.OrderBranchesStub(channel).CreateOrders(branches_pb2.CreateOrdersRequest(), metadata=DTM)
    call = branches.call
    assert (call.trans_type, call.gid, call.branch_id, call.op) == ("saga", "g", "01", "action")


@pytest.mark.parametrize(
    ("error", "status", "details"),
    [
        (StockInsufficient("none left"), grpc.StatusCode.ABORTED, "[40902] none left"),
        (SoldOut("gone"), grpc.StatusCode.ABORTED, "[40901] gone"),
        (Unavailable("later"), grpc.StatusCode.UNAVAILABLE, "later"),
        (NotFound("what?"), grpc.StatusCode.UNAVAILABLE, "what?"),
        (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, "internal error"),
    ],
)
async def test_a_branch_refuses_for_good_only_with_a_conflict(channel, branches, error, status, details):
    branches.error = error
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await branches_pb2_grpc.OrderBranchesStub(channel).CreateOrders(
            branches_pb2.CreateOrdersRequest(), metadata=DTM
        )
    assert (caught.value.code(), caught.value.details()) == (status, details)


@pytest.mark.parametrize("missing", range(4))
async def test_a_branch_is_for_dtm_alone(channel, branches, missing):
    metadata = [pair for number, pair in enumerate(DTM) if number != missing]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await branches_pb2_grpc.OrderBranchesStub(channel).CreateOrders(
            branches_pb2.CreateOrdersRequest(), metadata=metadata
        )
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not hasattr(branches, "call")


async def test_health_and_reflection(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", ORDER_SERVICE.full_name, BRANCHES.full_name):
        status = (await health.Check(health_pb2.HealthCheckRequest(service=service))).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    listed = [service.name async for response in call for service in response.list_services_response.service]
    assert {ORDER_SERVICE.full_name, BRANCHES.full_name, "grpc.health.v1.Health"} <= set(listed)


async def test_a_repeat_of_the_transport_is_known(channel, shop, unused_tcp_port):
    """gRPC itself repeats a call that found nobody; whoever serves the repeat is told."""
    seen = []

    def get(request):
        seen.append(is_repeated_call())
        if len(seen) < 3:
            raise Unavailable("not yet")
        return order_pb2.GetResponse()

    shop.answers = {"get": get}
    repeating = GrpcChannel("order", f"127.0.0.1:{unused_tcp_port}", ORDER_SERVICE)
    stub = order_pb2_grpc.OrderServiceStub(repeating.channel)
    await stub.Get(order_pb2.GetRequest(order_id="x"), timeout=10)
    await stub.Get(order_pb2.GetRequest(order_id="x"), timeout=10)
    await repeating.close()
    assert seen == [False, True, True, False]


def test_from_grpc_is_what_answer_raises():
    error = grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata())
    assert from_grpc(error).code == 50400
