"""Transcoding: one function for each RPC from an HTTP request to the JSON of its answer, compiled at start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.types import Receive, Scope

from services.common.errors import Invalid, UnknownOutcome
from services.common.http_body import read_body
from services.common.http_rules import HttpRule
from services.common.ids import derived_id, new_id
from services.common.json_codec import decoder, descriptor_of, encoder
from services.common.parameters import parser, query_reader
from services.common.rpc import Rpc
from services.common.telemetry import logs, traces

Call = Callable[[Scope, Receive], Awaitable[bytes]]


def transcode(rpc: Rpc, rule: HttpRule) -> Call:
    """The call behind a route: gives the answer's data as JSON, or raises a ShopError or Disconnected."""
    build = _request_builder(rpc, rule)
    write = _response_writer(rpc, rule)
    call, reads_body, id_field = rpc.call, rule.reads_body, rule.id_field

    async def run(scope: Scope, receive: Receive) -> bytes:
        body = await read_body(scope, receive) if reads_body else b""
        request = build(scope, body)
        try:
            return write(await call(request))
        except UnknownOutcome as error:
            if id_field is None:
                raise
            known = {id_field.json_name: getattr(request, id_field.name)}
            raise UnknownOutcome(error.message, known) from error

    return run


def _request_builder(rpc: Rpc, rule: HttpRule) -> Callable[[Scope, bytes], Message]:
    variables = [(field.name, parser(field)) for field in rule.variables]
    decode = decoder(rpc.request, without=rule.not_in_body) if rule.reads_body else None
    others = [field for field in descriptor_of(rpc.request).fields if field.name not in rule.not_in_body]
    read_query = query_reader([] if rule.reads_body else others)
    id_name = rule.id_field.name if rule.id_field else ""
    call_name, id_scope = rpc.method.full_name, rule.id_scope

    def build(scope: Scope, body: bytes) -> Message:
        message = decode(body) if decode else rpc.request()
        if scope["query_string"]:
            read_query(message, scope["query_string"])
        for name, parse in variables:
            setattr(message, name, parse(scope["path_params"][name]))
        if id_name:
            key = _idempotency_key(scope)
            scope_values = (str(getattr(message, name)) for name in id_scope)
            order_id = derived_id(call_name, *scope_values, key) if key else new_id()
            setattr(message, id_name, order_id)
            logs.order_id.set(order_id)
            traces.annotate("order_id", order_id)
        return message

    return build


def _response_writer(rpc: Rpc, rule: HttpRule) -> Callable[[Message], bytes]:
    if rule.response_field is None:
        return encoder(rpc.response)
    name, descriptor = rule.response_field.name, rule.response_field.message_type
    write = encoder(GetMessageClass(descriptor))  # type: ignore[arg-type]  # http_rule saw a message
    return lambda response: write(getattr(response, name))


def _idempotency_key(scope: Scope) -> str:
    """The header's value; empty when there is none."""
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            key: str = value.decode("latin-1")
            if not (key.isascii() and key.isprintable() and 1 <= len(key) <= 255):
                raise Invalid("Idempotency-Key: expected 1 to 255 printable ASCII characters")
            return key
    return ""
