"""Serves an ASGI app in this process, on Hypercorn or uvicorn, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from services.common.settings import ProcessSettings

_KEEP_ALIVE_SECONDS = 75  # longer than the ingress keeps its connections


def farewell(app: Any, stopping: Callable[[], bool]) -> Any:
    """The app; while the process stops, each answer also ends its connection. So clients leave by themselves, and none
    sends a request into a connection that is just being closed."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if not stopping() or scope["type"] != "http" or scope["http_version"] == "2":
            await app(scope, receive, send)
            return

        async def last(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await app(scope, receive, last)

    return wrapped


async def serve(app: Any, settings: ProcessSettings, stopping: asyncio.Event) -> None:
    """Returns when `stopping` is set and the requests in flight are answered, at most `grace_seconds` later."""
    if settings.http_server == "uvicorn":
        await _uvicorn(app, settings, stopping)
    else:
        await _hypercorn(app, settings, stopping)


async def _hypercorn(app: Any, settings: ProcessSettings, stopping: asyncio.Event) -> None:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{settings.http_host}:{settings.http_port}"]
    config.graceful_timeout = settings.grace_seconds
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 100_000
    config.backlog = 4096
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    await hypercorn_serve(app, config, shutdown_trigger=stopping.wait)


async def _uvicorn(app: Any, settings: ProcessSettings, stopping: asyncio.Event) -> None:
    import uvicorn

    from services.common.http_cork import CorkedProtocol

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """The runtime owns the signals."""
            yield

    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        http=CorkedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=16_384,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.grace_seconds),
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    server.should_exit = True
    await serving
