"""Dtm: a saga is submitted until DTM has decided, and nothing is taken for decided that is not."""

from __future__ import annotations

import grpc
import pytest

from services.common.dtm import client as module
from services.common.dtm.client import Dtm, SagaFailed
from services.common.errors import StockInsufficient, Unavailable, UnknownOutcome
from services.common.pb.dtmgimp.dtm_pb2 import DtmRequest

REASON = (
    "stock:8282/eshop.stock.v1.StockBranches/Deduct returned: [40902] product 1 has fewer than 2 units left FAILURE"
)


def aborted(text):
    return grpc.StatusCode.ABORTED, text


def finished(status):
    return aborted(f"FAILURE: current status '{status}', cannot sumbmit")


class Stub:
    """DTM's answers, one after the other; the last for ever. None is success."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.gids = []

    async def Submit(self, request, timeout):
        self.gids.append(request.Gid)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer:
            raise grpc.aio.AioRpcError(answer[0], grpc.aio.Metadata(), grpc.aio.Metadata(), details=answer[1])

    Prepare = Abort = Submit


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Pauses pass at once, and are noted."""
    taken, real = [], module.asyncio.sleep

    async def sleep(seconds):
        taken.append(seconds)
        await real(0)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return taken


def dtm(*answers):
    made = Dtm("dtm", "127.0.0.1:1")
    made._stub = Stub(*answers)
    return made


async def test_success():
    one = dtm(None)
    await one.run_saga(DtmRequest(Gid="g"), 8)
    assert one._stub.gids == ["g"]


async def test_a_refusal_carries_its_reason():
    """First the reason while it rolls back, then the status that says that it is done."""
    one = dtm(aborted(REASON), finished("failed"))
    with pytest.raises(SagaFailed) as caught:
        await one.run_saga(DtmRequest(Gid="g"), 8)
    assert isinstance(caught.value.reason, StockInsufficient)
    assert caught.value.reason.message == "product 1 has fewer than 2 units left"
    assert one._stub.gids == ["g", "g"]


async def test_a_saga_that_failed_without_a_known_reason():
    with pytest.raises(SagaFailed) as caught:
        await dtm(finished("failed")).run_saga(DtmRequest(Gid="g"), 8)
    assert caught.value.reason is None


@pytest.mark.parametrize(
    "unclear",
    [
        aborted("wait result not return success: FAILURE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "late"),
        (grpc.StatusCode.UNAVAILABLE, "gone"),
        (grpc.StatusCode.INTERNAL, "a store error"),
    ],
)
async def test_what_is_unclear_is_asked_again(unclear):
    one = dtm(unclear, unclear, finished("succeed"))
    await one.run_saga(DtmRequest(Gid="g"), 8)
    assert one._stub.gids == ["g"] * 3


async def test_rolling_back_is_not_rolled_back():
    """While compensations are missing the saga may still hold what the next one needs."""
    one = dtm(aborted(REASON), aborted(REASON), aborted(REASON), finished("failed"))
    with pytest.raises(SagaFailed):
        await one.run_saga(DtmRequest(Gid="g"), 8)
    assert len(one._stub.gids) == 4


async def test_pauses_grow(pauses):
    one = dtm(*[(grpc.StatusCode.UNAVAILABLE, "gone")] * 9, None)
    await one.run_saga(DtmRequest(Gid="g"), None)
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


async def test_patience_ends():
    with pytest.raises(UnknownOutcome):
        await dtm((grpc.StatusCode.UNAVAILABLE, "gone")).run_saga(DtmRequest(Gid="g"), 0.01)


async def test_messages():
    broken = dtm((grpc.StatusCode.UNAVAILABLE, "gone"))
    with pytest.raises(Unavailable):
        await broken.prepare(DtmRequest(Gid="g"))
    with pytest.raises(UnknownOutcome):
        await broken.submit(DtmRequest(Gid="g"))
    with pytest.raises(UnknownOutcome):
        await broken.abort(DtmRequest(Gid="g"))
    await dtm(None).prepare(DtmRequest(Gid="g"))
