"""REST over RPCs: routes from google.api.http annotations, JSON in and out, errors as envelopes.

The same code serves every service, whose RPCs run here, and the gateway, whose RPCs are forwarded. An answer is
`{"code":0,"msg":"ok","data":…}`, an error `{"code":40901,"msg":"…","data":{}}` with the HTTP status code // 100.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common import openapi
from services.common.errors import Invalid, Malformed, MethodNotAllowed, NotFound, ShopError, TooLarge
from services.common.http_rules import HttpRule, http_rule
from services.common.ids import derived_id, new_id
from services.common.json_codec import decoder, descriptor_of, encoder
from services.common.parameters import parser, query_reader
from services.common.rpc import Rpc
from services.common.telemetry import logs, metrics, traces

log = structlog.get_logger()

MAX_BODY = 1024 * 1024
# After a body that is too large: so many bytes more are read and dropped, so that most clients get to read the answer.
_MAX_DROPPED, _DROP_SECONDS = 16 * MAX_BODY, 5
_TOO_LARGE = f"the body is larger than {MAX_BODY} bytes"
_OK, _END = b'{"code":0,"msg":"ok","data":', b"}"
_JSON = (b"content-type", b"application/json")

Call = Callable[[Scope, Receive], Awaitable[bytes]]


class _BodyTooLarge(TooLarge):
    """More of the body is to come."""


class _Disconnected(Exception):
    """The client went away before its request was whole."""


def application(routes: Sequence[BaseRoute]) -> ASGIApp:
    """The ASGI app of a process; what no route serves gets a 404 envelope."""
    unmatched = _Endpoint("unmatched", {})

    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await unmatched(scope, receive, send)

    return Router(routes, redirect_slashes=False, default=default)


def routes(title: str, rpcs: Sequence[Rpc]) -> list[BaseRoute]:
    """The REST routes of those RPCs that have one, static paths first, and their OpenAPI description with its page."""
    calls: dict[str, dict[str, Call]] = {}
    for rpc in rpcs:
        if rule := http_rule(rpc.method):
            verbs = calls.setdefault(rule.path, {})
            if rule.verb in verbs:
                raise TypeError(f"{rpc.method.full_name}: {rule.verb} {rule.path} is taken")
            verbs[rule.verb] = _compile(rpc, rule)
    found: list[BaseRoute] = [
        (Route if "{" in path else _StaticRoute)(path, _Endpoint(path, calls[path]), name=path)
        for path in sorted(calls, key=lambda path: "{" in path)
    ]
    return [*found, *openapi.routes(title, rpcs)]


class _StaticRoute(Route):
    """A route without variables: compares where its parent runs a regular expression."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"] == self.path:
            return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
        return Match.NONE, {}


class _Endpoint:
    """The ASGI app of one path: a call for each verb, each request counted under the path's template."""

    def __init__(self, path: str, calls: dict[str, Call]) -> None:
        self.path = path
        self.calls = calls
        self._durations: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with traces.request(scope, self.path):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        status = 200
        try:
            call = self.calls.get(scope["method"])
            if call is None:
                raise self._no_call(scope)
            await _answer(send, status, await call(scope, receive))
        except _Disconnected:
            return
        except _BodyTooLarge as error:
            status = error.http_status
            await _answer_and_drop(receive, send, error)
        except ShopError as error:
            status = error.http_status
            if status == 500:
                log.error("request failed", method=scope["method"], route=self.path, error=error.message)
            await _answer(send, status, _envelope(error), self._headers(status))
        except Exception:
            status = 500
            log.exception("request failed", method=scope["method"], route=self.path)
            await _answer(send, status, _envelope(ShopError("internal error")))
        self._observe(scope["method"], status, time.perf_counter() - start)

    def _no_call(self, scope: Scope) -> ShopError:
        if self.calls:
            return MethodNotAllowed(f"{self.path} takes {', '.join(sorted(self.calls))}")
        return NotFound(f"no such route: {scope['path'][:200]}")

    def _headers(self, status: int) -> list[tuple[bytes, bytes]]:
        return [(b"allow", ", ".join(sorted(self.calls)).encode())] if status == 405 else []

    def _observe(self, method: str, status: int, seconds: float) -> None:
        method = method if method in self.calls else "other"  # callers may invent methods
        duration = self._durations.get((method, status))
        if duration is None:
            duration = metrics.HTTP_DURATION.labels(method, self.path, str(status))
            self._durations[method, status] = duration
        duration.observe(seconds, traces.exemplar())
        traces.annotate("http.response.status_code", status)


async def _answer(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def _answer_and_drop(receive: Receive, send: Send, error: ShopError) -> None:
    """Answers at once, then reads on for a while: a connection closed on unread bytes takes the answer with it."""
    body = _envelope(error)
    headers = [_JSON, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DROP_SECONDS):
            dropped, more = 0, True
            while more and dropped < _MAX_DROPPED:
                message = await receive()
                dropped += len(message.get("body", b""))
                more = message.get("more_body", False)
    await send({"type": "http.response.body", "body": b""})


def _envelope(error: ShopError) -> bytes:
    return msgspec.json.encode({"code": int(error.code), "msg": error.message, "data": {}})


def _compile(rpc: Rpc, rule: HttpRule) -> Call:
    """One function from a request to the bytes of its answer; everything that can be prepared is prepared here."""
    build = _request_builder(rpc, rule)
    show = _response_writer(rpc, rule)
    call, reads_body = rpc.call, rule.reads_body

    async def run(scope: Scope, receive: Receive) -> bytes:
        body = await _read_body(scope, receive) if reads_body else b""
        return _OK + show(await call(build(scope, body))) + _END

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
            order_id = derived_id(call_name, str(getattr(message, id_scope)), key) if key else new_id()
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


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > MAX_BODY:
            raise _BodyTooLarge(_TOO_LARGE)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_rest(body, receive)
    elif message["type"] == "http.disconnect":
        raise _Disconnected
    if len(body) > MAX_BODY:
        raise TooLarge(_TOO_LARGE)
    if not body:
        raise Malformed("the body is empty: expected a JSON object")
    return body


async def _read_rest(first: bytes, receive: Receive) -> bytes:
    chunks, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        more = message.get("more_body", False)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if more and size > MAX_BODY:
            raise _BodyTooLarge(_TOO_LARGE)
    return b"".join(chunks)
