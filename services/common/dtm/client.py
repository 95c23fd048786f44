"""Client of one DTM (the official server or the embedded coordinator) over its gRPC API.

A saga is submitted with its result waited for, and submitted again under the same gid until DTM has decided: a repeated
submit of an unfinished saga starts another pass, one of a finished saga tells its status. Barriers make that harmless.
Source of the rules: DTM's protocol, "duplicate and out-of-order calls" and "wait_result".
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import grpc

from services.common.errors import ShopError, Unavailable, UnknownOutcome, from_reason
from services.common.grpc_channel import GrpcChannel
from services.common.pb.dtmgimp import dtm_pb2, dtm_pb2_grpc
from services.common.telemetry import sagas, traces

_FINISHED = re.compile(r"current status '(\w+)', cannot su")
_UNFINISHED = "wait result not return success"
# A saga's pass ends after 8 s at the latest.
_SUBMIT_SECONDS, _CALL_SECONDS = 10.0, 3.0


@dataclass(frozen=True, slots=True)
class SagaFailed(Exception):
    """The saga is rolled back, every compensation done. `reason` is the refusing branch's, if it is known."""

    reason: ShopError | None


class Dtm:
    """A resource: one DTM."""

    def __init__(self, name: str, target: str) -> None:
        self.name = name
        self._channel = GrpcChannel(name, target)
        self._stub = dtm_pb2_grpc.DtmStub(self._channel.channel)

    async def open(self) -> None:
        await self._channel.open()

    async def close(self) -> None:
        await self._channel.close()

    async def check(self) -> None:
        await self._channel.check()

    async def run_saga(self, saga: dtm_pb2.DtmRequest, patience: float | None) -> None:
        """Returns when the saga has succeeded.

        SagaFailed: it is rolled back. UnknownOutcome: DTM has not decided within `patience` seconds; it goes on.
        """
        with traces.span("saga", attributes={"dtm.gid": saga.Gid}), sagas.Observed() as observed:
            saga.TransOptions.BranchHeaders.update(traces.headers())
            reason: ShopError | None = None
            pause = 0.05
            while True:
                status, text = await self._try_saga(saga)
                if status == "succeed":
                    observed.outcome = "succeed"
                    return
                reason = reason or from_reason(text)
                if status == "failed":
                    observed.outcome = "failed"
                    raise SagaFailed(reason)
                if status != "aborting" or pause > 0.05:
                    if patience is not None and observed.seconds > patience:
                        raise UnknownOutcome("the order is not decided yet; ask for it later")
                    await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def _try_saga(self, saga: dtm_pb2.DtmRequest) -> tuple[str, str]:
        """Status and text: succeed, failed, aborting (rolling back, perhaps done), submitted, or empty for unknown."""
        try:
            await self._stub.Submit(saga, timeout=_SUBMIT_SECONDS)
        except grpc.aio.AioRpcError as error:
            text = error.details() or ""
            if error.code() is not grpc.StatusCode.ABORTED:
                return "", text
            if found := _FINISHED.search(text):
                return found[1], ""
            return ("submitted" if text.startswith(_UNFINISHED) else "aborting"), text
        return "succeed", ""

    async def prepare(self, message: dtm_pb2.DtmRequest) -> None:
        """Announces a two-phase message. Any error means that it must not be gone on with."""
        message.TransOptions.BranchHeaders.update(traces.headers())
        for pause in (0.1, 0.5, None):
            try:
                await self._stub.Prepare(message, timeout=_CALL_SECONDS)
                return
            except grpc.aio.AioRpcError as error:
                # A repeat of the same gid changes nothing; one DTM often goes as another takes its place.
                if pause is None or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise Unavailable(f"{self.name} cannot prepare: {error.code().name}") from error
            await asyncio.sleep(pause)

    async def submit(self, message: dtm_pb2.DtmRequest) -> None:
        """Sends a prepared message on its way. UnknownOutcome: DTM will ask query-prepared and find out."""
        try:
            await self._stub.Submit(message, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise UnknownOutcome(f"{self.name} did not confirm: {error.code().name}") from error

    async def abort(self, message: dtm_pb2.DtmRequest) -> None:
        """Takes a prepared message back; an error is harmless, since DTM will ask query-prepared."""
        try:
            await self._stub.Abort(message, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise UnknownOutcome(f"{self.name} did not confirm: {error.code().name}") from error
