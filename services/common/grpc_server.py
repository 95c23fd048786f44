"""The gRPC side of a process: its services, DTM's branch services, health and reflection on one port."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common import repeats
from services.common.dtm.barrier import BranchCall
from services.common.errors import CODE_METADATA, Conflict, ShopError, grpc_status, to_reason
from services.common.rpc import Rpc, bind, handler_of, make_rpc
from services.common.telemetry import logs, metrics, traces

log = structlog.get_logger()

_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second process on the port must fail loudly
    ("grpc.max_connection_age_ms", 30_000),  # clients re-resolve and find new pods
    ("grpc.max_connection_age_grace_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

Handler = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]


class GrpcServer:
    """Collects services, then serves them until stopped."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server = grpc.aio.server(options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        self._names = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def add_service(self, service: ServiceDescriptor, implementation: object) -> list[Rpc]:
        """Serves a public service; gives its RPCs."""
        rpcs = bind(service, implementation)
        self.add_handlers(service, {rpc.method: _public(rpc) for rpc in rpcs})
        return rpcs

    def add_branches(self, service: ServiceDescriptor, implementation: object) -> None:
        """Serves a service that DTM calls: its methods take the request and the BranchCall."""
        self.add_handlers(service, {method: _branch(method, implementation) for method in service.methods})

    def add_handlers(self, service: ServiceDescriptor, handlers: dict[MethodDescriptor, Handler]) -> None:
        """Serves plain grpcio handlers, which choose their own status codes."""
        methods = {}
        for method, handler in handlers.items():
            rpc = make_rpc(method, handler)  # type: ignore[arg-type]
            methods[method.name] = grpc.unary_unary_rpc_method_handler(
                traces.served(rpc.path, handler),
                request_deserializer=rpc.request.FromString,
                response_serializer=rpc.response.SerializeToString,
            )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, methods),))
        self._names.append(service.full_name)

    async def start(self) -> None:
        reflection.enable_server_reflection(self._names, self._server)
        self._server.add_insecure_port(f"[::]:{self._port}")
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        await self._server.stop(grace)


def _public(rpc: Rpc) -> Handler:
    async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        repeats.note(context.invocation_metadata())
        try:
            return await rpc.call(request)
        except ShopError as error:
            metadata = ((CODE_METADATA, str(int(error.code))),)
            await context.abort(grpc_status(error), error.message, metadata)

    return _measured(rpc.path, handle)


def _branch(method: MethodDescriptor, implementation: object) -> Handler:
    handler = handler_of(implementation, method)

    async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            call = BranchCall.from_metadata(context.invocation_metadata())
            logs.gid.set(call.gid)
            return await handler(request, call)
        except Conflict as error:  # a refusal for good: DTM rolls back
            await context.abort(grpc.StatusCode.ABORTED, to_reason(error))
        except ShopError as error:  # anything else is retried
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.message)

    return _measured(f"/{method.containing_service.full_name}/{method.name}", handle)


def _measured(path: str, handler: Handler) -> Handler:
    duration = metrics.GRPC_DURATION
    ok = duration.labels(path, "OK")

    async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        start = time.perf_counter()
        try:
            response = await handler(request, context)
        except grpc.aio.AbortError:
            duration.labels(path, _code_name(context)).observe(time.perf_counter() - start, traces.exemplar())
            raise
        except Exception:
            duration.labels(path, "INTERNAL").observe(time.perf_counter() - start, traces.exemplar())
            log.exception("call failed", method=path)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        ok.observe(time.perf_counter() - start, traces.exemplar())
        return response

    return handle


def _code_name(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    code = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else str(code)
