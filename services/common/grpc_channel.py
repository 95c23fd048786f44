"""Calls to other services: round robin over the pods of a target, for the life of the process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from services.common.errors import Unavailable, from_grpc
from services.common.telemetry import traces

Answer = TypeVar("Answer")

_OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
# Seconds that calls wait for a lost connection to come back: a pod takes another's place, and DNS has to tell.
_PATIENCE = 3.0
# After so many seconds without a connection a channel is made anew: gRPC asks DNS for a name without addresses ever
# less often, in the end every two minutes, and no option shortens that.
_RENEW_SECONDS = 3.0
# More than any call may take: a server that stops still answers what it has in hand, and a channel that closes cancels
# its calls, which no caller expects.
_RETIRE_SECONDS = 60.0


class GrpcChannel:
    """A resource: the channel to one service. `services` tells which of their calls may be repeated.

    Once reached, the other side no longer counts for our readiness: its absence fails the calls that need it, and must
    not take a whole row of services out of traffic.
    """

    def __init__(self, name: str, target: str, *services: ServiceDescriptor) -> None:
        self.name = name
        self._target = f"dns:///{target}"
        self._options = [*_OPTIONS, ("grpc.service_config", json.dumps(_service_config(services)))]
        self._reached = False
        self._lost_at: float | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._connect()
        self.channel = traces.connected(cast("grpc.aio.Channel", _Lasting(lambda: self._current)))

    async def open(self) -> None:
        """Connects in the background."""
        self._connected()

    async def close(self) -> None:
        await self._current.close()

    async def check(self) -> None:
        self._reached = self._connected() or self._reached
        if not self._reached:
            raise Unavailable(f"{self.name} is {self._current.get_state().name.lower()}")

    async def reach(self) -> None:
        """Returns when a call can be sent. Unavailable: nobody has been there for a while, or the while is over now.

        A call that is sent into a lost connection fails at once, and only some calls may be repeated after that.
        """
        if self._connected():
            return
        left = _PATIENCE - (time.monotonic() - (self._lost_at or 0))
        try:
            await asyncio.wait_for(self._current.channel_ready(), max(0.0, left))
        except TimeoutError:
            raise Unavailable(f"{self.name} cannot be reached; try again") from None
        self._lost_at = None

    def _connect(self) -> None:
        self._current = grpc.aio.insecure_channel(self._target, options=self._options)
        self._made_at = time.monotonic()

    def _connected(self) -> bool:
        """Whether somebody is there now; if not, goes on trying."""
        if self._current.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            self._lost_at = None
            return True
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        if now - max(self._made_at, self._lost_at) > _RENEW_SECONDS:
            retiring = asyncio.create_task(self._current.close(_RETIRE_SECONDS))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
            self._connect()
            self._current.get_state(try_to_connect=True)
        return False


class _Lasting:
    """What stubs use of a channel: each call goes through the channel of the moment."""

    def __init__(self, current: Callable[[], grpc.aio.Channel]) -> None:
        self._current = current

    def unary_unary(self, path: str, *arguments: Any, **options: Any) -> Callable[..., Awaitable[Any]]:
        channel: grpc.aio.Channel | None = None
        method: Any = None

        def call(message: Any, **rest: Any) -> Awaitable[Any]:
            nonlocal channel, method
            if channel is not self._current():
                channel = self._current()
                method = channel.unary_unary(path, *arguments, **options)
            return cast("Awaitable[Any]", method(message, **rest))

        return call


def _service_config(services: tuple[ServiceDescriptor, ...]) -> dict[str, object]:
    """Round robin, and a retry on UNAVAILABLE for the calls whose proto says that they may be repeated."""
    repeatable = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    ]
    retry = {
        "maxAttempts": 5,
        "initialBackoff": "0.05s",
        "maxBackoff": "2s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if repeatable:
        config["methodConfig"] = [{"name": repeatable, "retryPolicy": retry}]
    return config


async def answer(call: Awaitable[Answer], changes: bool = False) -> Answer:
    """The answer of a stub's call; its failure as an error of the tree, as from_grpc says."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_grpc(error, changes) from error
