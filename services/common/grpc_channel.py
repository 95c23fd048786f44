"""Calls to other services: one channel per target for the life of the process, round robin over its pods."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import TypeVar

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


class GrpcChannel:
    """A resource: the channel to one service. `services` tells which of their calls may be repeated.

    Once reached, the other side no longer counts for our readiness: its absence fails the calls that need it, and must
    not take a whole row of services out of traffic.
    """

    def __init__(self, name: str, target: str, *services: ServiceDescriptor) -> None:
        self.name = name
        self._reached = False
        self._lost_at: float | None = None
        options = [*_OPTIONS, ("grpc.service_config", json.dumps(_service_config(services)))]
        self.channel = traces.connected(grpc.aio.insecure_channel(f"dns:///{target}", options=options))

    async def open(self) -> None:
        """Connects in the background."""
        self.channel.get_state(try_to_connect=True)

    async def close(self) -> None:
        await self.channel.close()

    async def check(self) -> None:
        state = self.channel.get_state(try_to_connect=True)
        self._reached = self._reached or state is grpc.ChannelConnectivity.READY
        if not self._reached:
            raise Unavailable(f"{self.name} is {state.name.lower()}")

    async def reach(self) -> None:
        """Returns when a call can be sent. Unavailable: nobody has been there for a while, or the while is over now.

        A call that is sent into a lost connection fails at once, and only some calls may be repeated after that.
        """
        if self.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            self._lost_at = None
            return
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        try:
            await asyncio.wait_for(self.channel.channel_ready(), max(0.0, self._lost_at + _PATIENCE - now))
        except TimeoutError:
            raise Unavailable(f"{self.name} cannot be reached; try again") from None


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


async def answer(call: Awaitable[Answer]) -> Answer:
    """The answer of a stub's call; its failure as an error of the tree."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_grpc(error) from error
