"""DTM's own Python client as a peer that was written elsewhere: its transactions through the coordinator under test."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from dtmcli import msg, saga, utils

from .conftest import TARGETS
from .dtm import new_gid
from .participants import FAILURE

pytestmark = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture
async def dtm(target, dtms):
    return await dtms(target)


async def test_gid(dtm):
    assert await asyncio.to_thread(utils.gen_gid, f"{dtm.url}/dtmsvr")


@pytest.mark.parametrize(("answer", "status"), [(None, "succeed"), (FAILURE, "failed")])
async def test_saga(dtm, participants, answer, status):
    gid = new_gid("dtmcli")
    if answer:
        participants.script(gid, "a2", answer)
    order = saga.Saga(f"{dtm.url}/dtmsvr", gid)
    for step in ("1", "2"):
        order.add({"amount": 30}, participants.http(f"a{step}"), participants.http(f"c{step}"))
    await asyncio.to_thread(order.submit)
    await dtm.until(gid, status)
    assert participants.names(gid) == (["a1", "a2"] if status == "succeed" else ["a1", "a2", "c2", "c1"])
    assert participants.calls(gid)[0].body == b'{"amount": 30}'


@pytest.mark.parametrize(
    ("raised", "answer", "status"),
    [
        (None, None, "succeed"),
        (utils.DTMFailureError("sold out"), None, "failed"),
        (RuntimeError("lost after the commit"), None, "succeed"),
        (RuntimeError("lost before the commit"), FAILURE, "failed"),
    ],
)
async def test_do_and_submit(dtm, participants, raised, answer, status):
    gid = new_gid("dtmcli")
    if answer:
        participants.script(gid, "q", answer)
    transfer = msg.Msg(f"{dtm.url}/dtmsvr", gid).add({"amount": 30}, participants.http("a1"))

    def local(barrier):
        if raised:
            raise raised

    with pytest.raises(type(raised)) if raised else nullcontext():
        await asyncio.to_thread(transfer.do_and_submit, participants.http("q"), local)
    await dtm.until(gid, status)
    assert participants.calls(gid, "a1") if status == "succeed" else not participants.calls(gid, "a1")
