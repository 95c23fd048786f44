"""A channel to another service: what is repeated, and how long calls wait for somebody to be there."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from services.common import grpc_channel
from services.common.errors import Unavailable
from services.common.grpc_channel import GrpcChannel, _service_config
from services.common.grpc_server import GrpcServer
from services.common.pb.eshop.order.v1 import order_pb2, order_pb2_grpc
from tests.unit.common.shop import ORDER_SERVICE, Shop


@pytest.fixture
async def channel(unused_tcp_port):
    channel = GrpcChannel("order", f"127.0.0.1:{unused_tcp_port}", ORDER_SERVICE)
    await channel.open()
    yield channel
    await channel.close()


async def test_only_calls_that_may_be_repeated_are():
    [methods] = _service_config((ORDER_SERVICE,))["methodConfig"]
    repeated = {entry["method"] for entry in methods["name"]}
    assert {"Get", "List", "SubmitMany"} <= repeated
    assert methods["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert json.dumps(_service_config(()))  # no policy, no methods


async def test_a_channel_waits_for_its_first_connection(channel):
    with pytest.raises(Unavailable):
        await channel.check()


async def test_a_call_waits_while_one_server_takes_another_s_place(channel, unused_tcp_port):
    waiting = asyncio.create_task(channel.reach())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    server = GrpcServer(unused_tcp_port)
    await server.start()
    await waiting
    await channel.check()
    await server.stop(0)


async def test_calls_soon_stop_waiting_for_nobody(channel, monkeypatch):
    """The time that a connection may be away counts from its loss, and not anew for each call."""
    monkeypatch.setattr(grpc_channel, "_PATIENCE", 1.0)
    began = time.monotonic()
    for least, most in ((1.0, 5.0), (0.0, 0.8), (0.0, 0.8)):
        with pytest.raises(Unavailable, match="order cannot be reached"):
            await channel.reach()
        assert least <= time.monotonic() - began < most
        began = time.monotonic()


async def test_a_channel_without_connection_is_made_anew_under_its_stubs(channel, unused_tcp_port, monkeypatch):
    """Even the first look at DNS may have found nobody, and gRPC would look again minutes later."""
    monkeypatch.setattr(grpc_channel, "_RENEW_SECONDS", 0.1)
    call = channel.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    first = channel._current
    await asyncio.sleep(0.2)
    with pytest.raises(Unavailable):
        await channel.check()
    assert channel._current is not first
    server = GrpcServer(unused_tcp_port)
    await server.start()
    await channel.reach()
    await server.set_serving(True)
    assert (await call(HealthCheckRequest(), timeout=5)).status == HealthCheckResponse.SERVING
    await server.stop(0)


async def test_a_channel_that_is_made_anew_cancels_no_call(channel, unused_tcp_port, monkeypatch):
    """A server that stops still answers the calls in its hands; a cancelled one would leave a batch without results."""
    monkeypatch.setattr(grpc_channel, "_RENEW_SECONDS", 0.1)
    shop = Shop()
    shop.held = asyncio.Event()
    server = GrpcServer(unused_tcp_port)
    server.add_service(ORDER_SERVICE, shop)
    await server.start()
    await channel.reach()
    stub = order_pb2_grpc.OrderServiceStub(channel.channel)
    first, call = channel._current, asyncio.ensure_future(stub.Get(order_pb2.GetRequest(order_id="x"), timeout=10))
    await asyncio.sleep(0.2)
    stopping = asyncio.create_task(server.stop(5))
    while channel._current is first:
        await asyncio.sleep(0.05)
        with suppress(Unavailable):
            await channel.check()
    await asyncio.sleep(0.5)
    assert shop.requests
    shop.held.set()
    assert (await call).order.order_id == "x"
    await stopping


async def test_a_connected_channel_stays(channel, unused_tcp_port, monkeypatch):
    monkeypatch.setattr(grpc_channel, "_RENEW_SECONDS", 0.1)
    server = GrpcServer(unused_tcp_port)
    await server.start()
    await channel.reach()
    current = channel._current
    await asyncio.sleep(0.2)
    await channel.check()
    assert channel._current is current
    await server.stop(0)
