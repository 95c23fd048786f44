"""Routes: the public calls of all services, forwarded to them. The gateway has no handlers of its own.

A call whose proto names a batch travels with others: requests that wait while one is in flight form the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.common.batching import BatcherGroup
from services.common.errors import ShopError, from_code
from services.common.grpc_channel import GrpcChannel, answer
from services.common.pb.eshop.options.v1 import options_pb2
from services.common.rpc import Rpc, grpc_path, make_rpc

MAX_BATCH = 512

Call = Callable[[Message], Awaitable[Any]]


def public_service(name: str) -> ServiceDescriptor:
    """The service of that folder's proto: `flash_sale` is eshop.flash_sale.v1.FlashSaleService."""
    file: FileDescriptor = import_module(f"services.common.pb.eshop.{name}.v1.{name}_pb2").DESCRIPTOR
    return file.services_by_name[f"{name.title().replace('_', '')}Service"]


def forwarded(
    channel: GrpcChannel, service: ServiceDescriptor, seconds: float, in_flight: int, pace: float
) -> list[Rpc]:
    """The service's public calls. `seconds` bound each; `in_flight` and `pace` are their batchers'."""
    found = []
    for method in service.methods:
        if not method.GetOptions().HasExtension(options_pb2.gateway):
            continue
        gateway = method.GetOptions().Extensions[options_pb2.gateway]
        if gateway.batch:
            batch = service.methods_by_name[gateway.batch]
            call = _batched(_single(channel, batch, seconds), batch, gateway.batch_by, in_flight, pace)
            found.append(make_rpc(method, call))  # one bad member would fail a batch: its rules are checked here
        else:
            call = _single(channel, method, seconds)
            found.append(Rpc(method, GetMessageClass(method.input_type), GetMessageClass(method.output_type), call))
    return found


def _single(channel: GrpcChannel, method: MethodDescriptor, seconds: float) -> Call:
    call = channel.channel.unary_unary(
        grpc_path(method),
        request_serializer=GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )

    changes = method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS

    async def forward(request: Message) -> Any:
        await channel.reach()
        return await answer(call(request, timeout=seconds), changes)

    return forward


def _batched(call: Call, method: MethodDescriptor, batch_by: str, in_flight: int, pace: float) -> Call:
    request_class: Any = GetMessageClass(method.input_type)

    async def run(requests: list[Message]) -> Sequence[Message | ShopError]:
        response = await call(request_class(requests=requests))
        return [_member(result) for result in response.results]

    batchers: BatcherGroup[object, Message, Message] = BatcherGroup(
        f"gateway.{method.name}", run, max_items=MAX_BATCH, in_flight=in_flight, pace=pace
    )

    async def add(request: Message) -> Message:
        key = getattr(request, batch_by) if batch_by else None
        return await batchers.add(key, request)

    return add


def _member(result: Any) -> Message | ShopError:
    """A member's own answer or error."""
    if result.HasField("error"):
        return from_code(result.error.code, result.error.message)
    response: Message = result.response
    return response
