"""Rpc: one call of a gRPC service with the code behind it. gRPC, REST and the gateway are all made of these.

An implementation is a plain class with one coroutine method for each RPC, in snake_case, taking the request and giving
the response; it raises the errors of errors.py. A missing method ends the process at start.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from protovalidate import ValidationError, Validator

from services.common.errors import Invalid

_validator = Validator()


@dataclass(frozen=True, slots=True)
class Rpc:
    """`call` takes a `request`, checks its rules and gives a `response`, or raises a ShopError."""

    method: MethodDescriptor
    request: type[Message]
    response: type[Message]
    call: Callable[[Any], Awaitable[Any]]

    @property
    def path(self) -> str:
        """The method as gRPC spells it: /package.Service/Method."""
        return grpc_path(self.method)


def grpc_path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def bind(service: ServiceDescriptor, implementation: object) -> list[Rpc]:
    """The RPCs of a service, each with its method of the implementation behind its validation rules."""
    return [make_rpc(method, handler_of(implementation, method)) for method in service.methods]


def make_rpc(method: MethodDescriptor, handler: Callable[[Any], Awaitable[Any]]) -> Rpc:
    async def call(request: Message) -> Message:
        validate(request)
        response: Message = await handler(request)
        return response

    return Rpc(method, GetMessageClass(method.input_type), GetMessageClass(method.output_type), call)


def handler_of(implementation: object, method: MethodDescriptor) -> Callable[..., Awaitable[Any]]:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()
    handler = getattr(implementation, name, None)
    if handler is None:
        raise TypeError(f"{type(implementation).__name__} has no method {name} for {method.full_name}")
    found: Callable[..., Awaitable[Any]] = handler
    return found


def validate(message: Message) -> None:
    """Raises Invalid with the first broken rules, named as the contract spells the fields."""
    try:
        _validator.validate(message)
    except ValidationError as error:
        raise Invalid(_sentence(error, message)) from None


def _sentence(error: ValidationError, message: Message) -> str:
    parts = []
    for violation in error.violations[:5]:
        path = violation.proto.field
        names = [
            f"{element.field_name}[{element.subscript.value}]" if element.subscript else element.field_name
            for element in (path.elements if path else ())
        ]
        parts.append(f"{'.'.join(_contract_names(names, message))}: {violation.proto.message}")
    return "; ".join(parts)


def _contract_names(names: list[str], message: Message) -> list[str]:
    descriptor: Any = message.DESCRIPTOR
    spelled = []
    for name in names:
        bare, bracket, index = name.partition("[")
        field = descriptor.fields_by_name.get(bare) if descriptor else None
        spelled.append(f"{field.json_name if field else bare}{bracket}{index}")
        descriptor = field.message_type if field else None
    return spelled
