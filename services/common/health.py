"""Liveness, readiness and metrics of a process over HTTP.

Readiness is asked in the background and answered from memory, so that probes cost the dependencies nothing.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.telemetry import metrics

log = structlog.get_logger()

_SECONDS_READY, _SECONDS_UNREADY, _TIMEOUT = 5.0, 0.5, 2.0


class Resource(Protocol):
    """Something that a process opens at start and closes at stop.

    `open` must not need the other side to be up; `check` raises while it cannot be used.
    """

    name: str

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def check(self) -> None: ...


class Readiness:
    """Ready when every resource answers and the process is not stopping."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self.stopping = False
        self._errors: dict[str, str] = {"start": "starting"}

    @property
    def ready(self) -> bool:
        return not self._errors and not self.stopping

    async def run(self, stopping: asyncio.Event) -> None:
        """Asks all resources, often while one is missing."""
        while not stopping.is_set():
            found = await asyncio.gather(*(self._ask(resource) for resource in self.resources))
            errors = {name: error for name, error in found if error}
            if errors.keys() != self._errors.keys():
                log.info("readiness", missing=errors)
            self._errors = errors
            await _sleep(stopping, _SECONDS_UNREADY if errors else _SECONDS_READY)

    async def _ask(self, resource: Resource) -> tuple[str, str]:
        try:
            await asyncio.wait_for(resource.check(), _TIMEOUT)
        except Exception as error:
            metrics.DEPENDENCY_UP.labels(resource.name).set(0)
            return resource.name, type(error).__name__
        metrics.DEPENDENCY_UP.labels(resource.name).set(1)
        return resource.name, ""

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self._liveness),
            Route("/readyz", self._readiness),
            Route("/metrics", _metrics),
        ]

    async def _liveness(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _readiness(self, _: Request) -> Response:
        names = dict.fromkeys(resource.name for resource in self.resources)
        dependencies = [{"name": name, "ready": name not in self._errors} for name in names]
        status = "stopping" if self.stopping else "ready" if self.ready else "waiting"
        body = {"status": status, "dependencies": dependencies}
        return JSONResponse(body, status_code=200 if self.ready else 503)


async def _metrics(request: Request) -> Response:
    """In the format that the scraper asks for; only OpenMetrics knows exemplars."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(REGISTRY), headers={"content-type": content_type})


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
