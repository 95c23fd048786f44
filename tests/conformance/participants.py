"""Scripted participants over HTTP and gRPC: they answer as a case tells them and record every call."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import grpc
from aiohttp import web

from .patience import slack

HOST = "127.0.0.1"
SERVICE = "conformance.Busi"


@dataclass(frozen=True)
class Answer:
    """What a participant says on either transport, after `wait()`."""

    http: tuple[int, str] = (200, "{}")
    grpc: tuple[grpc.StatusCode, str] = (grpc.StatusCode.OK, "")
    wait: Callable[[], Awaitable[object]] | None = None


OK = Answer()
FAILURE = Answer((409, "sold out"), (grpc.StatusCode.ABORTED, "sold out"))
ONGOING = Answer((425, "later"), (grpc.StatusCode.FAILED_PRECONDITION, "later"))
ERROR = Answer((500, "broken"), (grpc.StatusCode.INTERNAL, "broken"))


def http_answer(status: int, body: str) -> Answer:
    return Answer(http=(status, body))


def grpc_answer(code: grpc.StatusCode, details: str = "") -> Answer:
    return Answer(grpc=(code, details))


def after(seconds: float, answer: Answer = OK) -> Answer:
    return replace(answer, wait=lambda: asyncio.sleep(seconds))


def when(event: asyncio.Event, answer: Answer = OK) -> Answer:
    return replace(answer, wait=event.wait)


@dataclass
class Call:
    """One call as it arrived. `metadata` holds HTTP headers or gRPC metadata, names in lower case."""

    name: str
    gid: str
    method: str
    path: str
    query: Mapping[str, str]
    metadata: Mapping[str, str]
    body: bytes
    deadline: float | None
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    cancelled: bool = False
    answer: Answer | None = None


# What a participant does with a call; its answer.
Work = Callable[[Call], Awaitable[Answer]]


class Participants:
    """Serves `/<name>` over HTTP and `/conformance.Busi/<name>` over gRPC. Unscripted calls are answered OK."""

    def __init__(self) -> None:
        self._scripts: dict[tuple[str, str], list[Answer | Work]] = {}
        self._calls: dict[str, list[Call]] = defaultdict(list)
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._server: grpc.aio.Server | None = None
        self._http_port = self.grpc_port = 0

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{name}", self._serve_http)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        self._http_port = self._runner.addresses[0][1]
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((_Generic(self),))
        self.grpc_port = self._server.add_insecure_port(f"{HOST}:0")
        await self._server.start()

    async def close(self) -> None:
        await self._server.stop(None)
        await self._runner.cleanup()

    def http(self, name: str) -> str:
        return f"http://{HOST}:{self._http_port}/{name}"

    def grpc(self, name: str) -> str:
        return f"{HOST}:{self.grpc_port}/{SERVICE}/{name}"

    def script(self, gid: str, name: str, *answers: Answer | Work) -> None:
        """The answers to the calls of that name in turn, or what finds them; the last one is repeated."""
        self._scripts[gid, name] = list(answers)

    def calls(self, gid: str, name: str = "") -> list[Call]:
        return [call for call in self._calls[gid] if name in ("", call.name)]

    def names(self, gid: str) -> list[str]:
        return [call.name for call in self._calls[gid]]

    async def wait_calls(self, gid: str, count: int, timeout: float, name: str = "") -> list[Call]:
        """So many calls, as soon as they have arrived; fails when they have not in time."""
        async with self._changed:
            try:
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: len(self.calls(gid, name)) >= count), timeout + 3 * slack()
                )
            except TimeoutError:
                raise AssertionError(f"{gid}: {count} calls of {name or 'any'}, but {self.names(gid)}") from None
        return self.calls(gid, name)

    async def answer(self, call: Call) -> Answer:
        """Records the call; gives its answer when it is due."""
        async with self._changed:
            self._calls[call.gid].append(call)
            self._changed.notify_all()
        answers = self._scripts.get((call.gid, call.name), [OK])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            if not isinstance(answer, Answer):
                answer = await answer(call)
            if answer.wait:
                await answer.wait()
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        call.ended, call.answer = time.monotonic(), answer
        return answer

    async def _serve_http(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            request.match_info["name"], request.query.get("gid", ""), request.method, request.raw_path,
            dict(request.query), headers, await request.read(), None,
        )  # fmt: skip
        status, body = (await self.answer(call)).http
        return web.Response(status=status, text=body)


class _Generic(grpc.GenericRpcHandler):
    """Takes any method, bytes in and bytes out."""

    def __init__(self, participants: Participants) -> None:
        self._participants = participants

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def handle(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
            metadata = dict(context.invocation_metadata())
            name = details.method.rpartition("/")[2]
            remaining = context.time_remaining()
            call = Call(name, metadata.get("dtm-gid", ""), "", details.method, {}, metadata, body, remaining)
            code, text = (await self._participants.answer(call)).grpc
            if code is not grpc.StatusCode.OK:
                await context.abort(code, text)
            return b"any bytes"

        return grpc.unary_unary_rpc_method_handler(handle)
