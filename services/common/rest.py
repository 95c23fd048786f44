"""REST over RPCs: routes from google.api.http annotations, JSON in and out, errors as envelopes.

The same code serves every service, whose RPCs run here, and the gateway, whose RPCs are forwarded. An answer is
`{"code":0,"msg":"ok","data":…}`, an error `{"code":40901,"msg":"…","data":{}}` with the HTTP status code // 100.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common import openapi
from services.common.errors import MethodNotAllowed, NotFound, ShopError
from services.common.http_body import Disconnected, UnreadBody, drop_body
from services.common.http_rules import http_rule
from services.common.rpc import Rpc
from services.common.telemetry import metrics, traces
from services.common.transcoding import Call, transcode

log = structlog.get_logger()

_OK, _END = b'{"code":0,"msg":"ok","data":', b"}"
_JSON = (b"content-type", b"application/json")


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
            verbs[rule.verb] = transcode(rpc, rule)
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
            await _answer(send, status, _OK + await call(scope, receive) + _END)
        except Disconnected:
            return
        except UnreadBody as error:
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
    """Answers at once and closes the connection when the client has got rid of its body."""
    body = _envelope(error)
    headers = [_JSON, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await drop_body(receive)
    await send({"type": "http.response.body", "body": b""})


def _envelope(error: ShopError) -> bytes:
    return msgspec.json.encode({"code": int(error.code), "msg": error.message, "data": error.data})
