"""The gateway: the shop's one public door, REST in and gRPC out."""

from __future__ import annotations

from services.common.grpc_channel import GrpcChannel
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.gateway.routes import forwarded, public_service
from services.gateway.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    for name, target in settings.targets().items():
        service = public_service(name)
        channel = await runtime.open(GrpcChannel(name.replace("_", "-"), target, service))
        in_flight, pace = settings.batches_in_flight, settings.batch_pace
        runtime.forward(forwarded(channel, service, settings.call_seconds, in_flight, pace))


run("gateway", settings, wire)
