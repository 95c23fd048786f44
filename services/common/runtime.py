"""Runtime: one asyncio process on uvloop with an HTTP server, a gRPC server and loops, and one ordered stop.

    async def wire(runtime: Runtime) -> None:
        database = await runtime.open(Database(settings, "eshop_stock"))
        runtime.serve(DESCRIPTOR.services_by_name["StockService"], StockService(database))

    run("stock", settings, wire)

Stop, on SIGTERM: unready; wait for load balancers to notice; stop intake (loops finish the batch in hand); drain HTTP
and gRPC; close the resources, last opened first.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
import uvloop
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from starlette.routing import BaseRoute

from services.common import http_server, rest
from services.common.grpc_server import GrpcServer, Handler
from services.common.health import Readiness, Resource
from services.common.rpc import Rpc
from services.common.settings import ProcessSettings
from services.common.telemetry import logs, loop_lag, metrics, span_export, traces

log = structlog.get_logger()

Opened = TypeVar("Opened", bound=Resource)
Loop = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


class Runtime:
    """What a process is made of; its `wire` function fills it."""

    def __init__(self, name: str, settings: ProcessSettings) -> None:
        self.name = name
        self.settings = settings
        self.readiness = Readiness()
        self.grpc = GrpcServer(settings.grpc_port)
        self._serves_grpc = False
        self._rpcs: list[Rpc] = []
        self._routes: list[BaseRoute] = []
        self._loops: list[tuple[str, Loop]] = []

    async def open(self, resource: Opened) -> Opened:
        """Opens a resource now; readiness asks for it; it is closed at the stop."""
        await resource.open()
        self.readiness.resources.append(resource)
        return resource

    def serve(self, service: ServiceDescriptor, implementation: object) -> None:
        """Serves a public service over gRPC, and over REST as its google.api.http options say."""
        self._serves_grpc = True
        self._rpcs += self.grpc.add_service(service, implementation)

    def serve_branches(self, service: ServiceDescriptor, implementation: object) -> None:
        """Serves branches to DTM over gRPC."""
        self._serves_grpc = True
        self.grpc.add_branches(service, implementation)

    def serve_handlers(self, service: ServiceDescriptor, handlers: dict[MethodDescriptor, Handler]) -> None:
        """Serves a foreign contract over gRPC, whose handlers choose their own status codes."""
        self._serves_grpc = True
        self.grpc.add_handlers(service, handlers)

    def forward(self, rpcs: Sequence[Rpc]) -> None:
        """Serves RPCs of other services over REST."""
        self._rpcs += rpcs

    def mount(self, *routes: BaseRoute) -> None:
        """Serves further HTTP routes."""
        self._routes += routes

    def loop(self, name: str, run: Loop) -> None:
        """Runs `run(stopping)` until the stop; it returns soon after `stopping` is set."""
        self._loops.append((name, run))

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set, then stops in order."""
        routes = [*self.readiness.routes(), *self._routes, *rest.routes(self.name, self._rpcs)]
        app = http_server.farewell(rest.application(routes), lambda: self.readiness.stopping)
        door, intake = asyncio.Event(), asyncio.Event()
        if self._serves_grpc:
            await self.grpc.start()
        tasks = {
            "http": asyncio.create_task(http_server.serve(app, self.settings, door)),
            "readiness": asyncio.create_task(self.readiness.run(door)),
            "loop lag": asyncio.create_task(loop_lag.watch(door)),
            "grpc health": asyncio.create_task(self._report_health(door)),
        }
        loops = {name: asyncio.create_task(run(intake)) for name, run in self._loops}
        _calm_collector()
        log.info("started", http=self.settings.http_port, grpc=self.settings.grpc_port if self._serves_grpc else None)
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({stopped, *tasks.values(), *loops.values()}, return_when=asyncio.FIRST_COMPLETED)
        try:
            for task in done - {stopped}:
                await task  # a server or a loop that ends by itself ends the process
        finally:
            await self._stop(door, intake, list(tasks.values()), list(loops.values()))

    async def _stop(
        self,
        door: asyncio.Event,
        intake: asyncio.Event,
        tasks: list[asyncio.Task[None]],
        loops: list[asyncio.Task[None]],
    ) -> None:
        grace = self.settings.grace_seconds
        log.info("stopping")
        self.readiness.stopping = True
        await self.grpc.set_serving(False)
        await asyncio.sleep(self.settings.drain_seconds)
        intake.set()
        await _finish(loops, grace)
        door.set()
        await asyncio.gather(_finish(tasks, grace + 1), self.grpc.stop(grace))
        for resource in reversed(self.readiness.resources):
            try:
                await asyncio.wait_for(resource.close(), 5)
            except Exception as error:
                log.warning("close failed", resource=resource.name, error=repr(error))
        log.info("stopped")

    async def _report_health(self, door: asyncio.Event) -> None:
        """Keeps the gRPC health service in step with readiness."""
        serving: bool | None = None
        while not door.is_set():
            if self.readiness.ready != serving:
                serving = self.readiness.ready
                await self.grpc.set_serving(serving)
            await asyncio.sleep(0.25)


def _calm_collector() -> None:
    """What exists at the start stays: the collector need not look at it again, nor look often (9 % of the gateway)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


async def _finish(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Waits for tasks to end by themselves, then cancels them."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=2)


def run(name: str, settings: ProcessSettings, wire: Callable[[Runtime], Awaitable[None]]) -> None:
    """Runs a process until SIGTERM or SIGINT."""
    logs.configure(name, settings.log_level, settings.log_format)
    metrics.BUILD_INFO.labels(os.environ.get("ESHOP_VERSION", "dev"), platform.python_version()).set(1)
    spans = span_export.provider(name, settings)
    traces.start(spans.get_tracer("eshop") if spans else None, settings.trace_ratio)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, logs.set_level, "debug")
        loop.add_signal_handler(signal.SIGUSR2, logs.set_level, settings.log_level)
        runtime = Runtime(name, settings)
        await wire(runtime)
        await runtime.run(stop)

    try:
        uvloop.run(main())
    finally:
        if spans:
            spans.shutdown()
