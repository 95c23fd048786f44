"""Traces: thin wrappers over the OpenTelemetry SDK, one trace from the buyer's request to the end of its saga.

A trace begins at a REST request, sampled by ESHOP_TRACE_RATIO or by the caller's traceparent; everything behind it
only goes on with one that has begun. Whatever is not sampled makes no span at all: `span` and its like then give an
empty context after one look at a context variable.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

import grpc
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int]
Scope = AbstractContextManager[Span | None]

_TRACEPARENT = "traceparent"
_BRANCH_METADATA = ("dtm-gid", "dtm-branch_id", "dtm-op")
_NOTHING: Scope = nullcontext()

_propagator = TraceContextTextMapPropagator()
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_tracer: Tracer | None = None
_ratio = 0.0


def start(tracer: Tracer | None, ratio: float) -> None:
    """Switches tracing on, or off with None. Services and channels that are made later are traced accordingly."""
    global _tracer, _ratio
    _tracer, _ratio = tracer, ratio


def current() -> Span | None:
    """The sampled span that this code runs in."""
    return _current.get()


def trace_id() -> str:
    """Of the current span, as hex; empty without one."""
    span = _current.get()
    return format_trace_id(span.get_span_context().trace_id) if span else ""


def exemplar() -> dict[str, str] | None:
    """The current trace as an exemplar of a histogram."""
    return exemplar_of(_current.get())


def exemplar_of(span: Span | None) -> dict[str, str] | None:
    """A sampled span's trace as an exemplar; None without one."""
    return {"trace_id": format_trace_id(span.get_span_context().trace_id)} if span else None


def headers() -> dict[str, str]:
    """What carries the current span to another process; empty without one."""
    carrier: dict[str, str] = {}
    if span := _current.get():
        _propagator.inject(carrier, set_span_in_context(span, Context()))
    return carrier


def annotate(name: str, value: str | int) -> None:
    """Sets an attribute of the current span."""
    if span := _current.get():
        span.set_attribute(name, value)


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None) -> Scope:
    """A step of the current trace; nothing where none is sampled."""
    parent = _current.get()
    return _Started(name, kind, parent, attributes) if parent else _NOTHING


def request(scope: Mapping[str, Any], route: str) -> Scope:
    """An HTTP request: the only place where a trace begins. The caller's traceparent decides before the ratio does."""
    if _tracer is None:
        return _NOTHING
    traceparent = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
    parent = _remote(traceparent) if traceparent else None
    if not (parent if traceparent else random.random() < _ratio):  # noqa: S311 - sampling, no secret
        return _NOTHING
    attributes = {"http.request.method": scope["method"], "http.route": route}
    return _Started(f"{scope['method']} {route}", SpanKind.SERVER, parent, attributes)


def batch(name: str, members: Iterable[Span | None], kind: SpanKind = SpanKind.INTERNAL) -> Scope:
    """A batch goes on with its first sampled member's trace and links to every sampled member, and they to it."""
    if _tracer is None:
        return _NOTHING
    everyone = list(members)
    found = {member.get_span_context().span_id: member for member in everyone if member}
    if not found:
        return _NOTHING
    links = [Link(member.get_span_context()) for member in found.values()]
    started = _Started(name, kind, next(iter(found.values())), {"batch.items": len(everyone)}, links)
    for member in found.values():
        if member.is_recording():  # else it ended without waiting, or is another process's
            member.add_link(started.span.get_span_context())
    return started


def sender(metadata: Iterable[tuple[str, Any]] | None) -> Span | None:
    """The sampled span that a message or a call came from, by its headers."""
    traceparent = next((value for name, value in metadata or () if name == _TRACEPARENT), None)
    return _remote(traceparent) if traceparent else None


Handler = Callable[[Any, Any], Awaitable[Any]]


def served(path: str, handler: Handler) -> Handler:
    """A gRPC handler whose calls are spans where their caller's are."""
    if _tracer is None:
        return handler

    async def traced(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        metadata = context.invocation_metadata()
        parent = sender(metadata)
        if parent is None:
            return await handler(request, context)
        branch = {name.replace("-", "."): str(value) for name, value in metadata or () if name in _BRANCH_METADATA}
        with _Started(path[1:], SpanKind.SERVER, parent, {"rpc.system": "grpc", **branch}) as found:
            try:
                return await handler(request, context)
            finally:
                found.set_attribute("rpc.grpc.status_code", _status(context.code()))

    return traced


def connected(channel: grpc.aio.Channel) -> grpc.aio.Channel:
    """A channel whose unary calls are spans and carry them on."""
    return channel if _tracer is None else _TracedChannel(channel)  # type: ignore[return-value]  # what stubs use of it


class _TracedChannel:
    """Not an interceptor: those make a task for every call, sampled or not."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, path: str, *arguments: Any, **options: Any) -> Callable[..., Awaitable[Any]]:
        call = self._channel.unary_unary(path, *arguments, **options)

        async def traced(message: Any, metadata: Sequence[tuple[str, str]] = (), **rest: Any) -> Any:
            with span(path[1:], SpanKind.CLIENT, {"rpc.system": "grpc"}):
                return await call(message, metadata=(*metadata, *headers().items()), **rest)

        def start(message: Any, **rest: Any) -> Awaitable[Any]:
            return traced(message, **rest) if _current.get() else call(message, **rest)

        return start


class _Started(AbstractContextManager[Span]):
    """A span that is current while its block runs. An error that leaves the block is named, its message is not told."""

    __slots__ = ("_token", "span")

    def __init__(
        self, name: str, kind: SpanKind, parent: Span | None, attributes: Attributes | None, links: Sequence[Link] = ()
    ) -> None:
        assert _tracer is not None, "tracing is off"  # noqa: S101
        context = set_span_in_context(parent, Context()) if parent else Context()
        self.span = _tracer.start_span(name, context, kind, attributes, links)

    def __enter__(self) -> Span:
        self._token: Token[Span | None] = _current.set(self.span)
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        if kind is not None:
            self.span.set_attribute("error.type", kind.__name__)
            self.span.set_status(StatusCode.ERROR)
        self.span.end()


def _status(code: Any) -> int:
    number: int = code.value[0] if isinstance(code, grpc.StatusCode) else code or 0
    return number


def _remote(traceparent: str | bytes) -> Span | None:
    """The caller's span, if it is sampled; anything that is no traceparent is as good as none."""
    text = traceparent.decode("latin-1") if isinstance(traceparent, bytes) else traceparent
    parent = get_current_span(_propagator.extract({_TRACEPARENT: text}, Context()))
    return parent if parent.get_span_context().trace_flags.sampled else None
