"""Redis from asyncio: a bounded pool, short time-outs, and Lua scripts that are sent once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.trace import SpanKind
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.common.errors import Unavailable, UnknownOutcome
from services.common.settings import RedisSettings
from services.common.telemetry import metrics, traces


class Redis:
    """A resource: one Redis. `client` is the plain client; scripts go through `run`."""

    def __init__(self, settings: RedisSettings) -> None:
        self.name = "redis"
        pool = BlockingConnectionPool(
            host=settings.redis_host,
            port=settings.redis_port,
            password=settings.redis_password.get_secret_value() or None,
            max_connections=settings.redis_pool,
            timeout=2,
            socket_timeout=2,
            socket_connect_timeout=2,
            # A command is never repeated behind our back: a script that took units must not run twice.
            retry=Retry(NoBackoff(), 0),
            health_check_interval=15,
        )
        self.client = Client(connection_pool=pool)
        metrics.watch_pool("redis", settings.redis_pool, lambda: pool.get_connection_count()[1][0])

    async def open(self) -> None:
        """Connections are made when needed."""

    async def close(self) -> None:
        await self.client.aclose()
        await self.client.connection_pool.disconnect()

    async def check(self) -> None:
        await self.client.ping()

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """The script's answer. Unavailable: it did not run. UnknownOutcome: nobody knows."""
        try:
            with traces.span("redis script", SpanKind.CLIENT):
                try:
                    return await self.client.evalsha(script.digest, len(keys), *keys, *arguments)
                except NoScriptError:
                    return await self.client.eval(script.text, len(keys), *keys, *arguments)
        except RedisTimeoutError as error:
            raise UnknownOutcome("Redis did not answer in time") from error
        except RedisConnectionError as error:
            if "connecting to" in str(error):
                raise Unavailable("Redis cannot be reached; try again") from error
            raise UnknownOutcome("the connection to Redis was lost") from error
        except RedisError as error:
            raise Unavailable(f"Redis refused: {error}") from error


class Script:
    """A Lua script and its digest."""

    def __init__(self, text: str) -> None:
        import hashlib

        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
