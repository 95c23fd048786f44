"""Items 35 and 47 to 50 of the conformance list: coordinators and participants whose barriers are on MySQL."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from dtmcli import msg
from dtmcli.utils import DTMFailureError

from services.common.dtm.barrier import BranchCall

from .bank import DTMCLI_SCHEMA, START, Bank
from .conftest import TARGETS
from .coordinators import create_mysql_space, drop_mysql_space
from .dtm import Sender, new_gid
from .participants import FAILURE, OK

on_every_target = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture
async def bank(stack):
    space = create_mysql_space(stack)
    bank = Bank(stack, space)
    yield bank
    await bank.close()
    drop_mysql_space(stack, space)


def call(gid, op):
    return BranchCall("saga", gid, "01", op)


async def test_a_compensation_before_its_action_bars_it(bank):
    gid = new_gid()
    await bank.run(call(gid, "compensate"))
    assert bank.barrier(gid) == [("action", "compensate"), ("compensate", "compensate")]
    await bank.run(call(gid, "action"))
    assert bank.amount == START
    assert bank.barrier(gid) == [("action", "compensate"), ("compensate", "compensate")]


async def test_an_action_and_its_compensation_run_once(bank):
    gid = new_gid()
    for op, amount in (("action", START - 30), ("compensate", START)):
        for _ in range(2):
            await bank.run(call(gid, op))
            assert bank.amount == amount
    assert bank.barrier(gid) == [("action", "action"), ("compensate", "compensate")]


@on_every_target
async def test_a_refused_action_and_its_compensation_leave_nothing(target, dtms, bank, participants):
    dtm, gid = await dtms(target), new_gid()
    participants.script(gid, "a2", bank.participant(refused=True))
    participants.script(gid, "c2", bank.participant())
    assert (await Sender(dtm, participants, "grpc").saga(gid, "1", "2", wait_result=True)).code == 409
    await dtm.until(gid, "failed")
    assert participants.names(gid) == ["a1", "a2", "c2", "c1"]
    assert bank.amount == START


@on_every_target
async def test_a_duplicate_submit_does_the_business_once(target, dtms, bank, participants):
    """Item 35: DTM calls the first step again while it runs."""
    dtm, gid = await dtms(target), new_gid()
    participants.script(gid, "a1", bank.participant(seconds=2))
    sender = Sender(dtm, participants, "grpc")
    assert (await sender.saga(gid, "1", "2", request_timeout=10)).code == 200
    await participants.wait_calls(gid, 1, timeout=2)
    assert (await sender.saga(gid, "1", "2", request_timeout=10)).code == 200
    await dtm.until(gid, "succeed", 15)
    assert bank.amount == START - 30
    assert bank.barrier(gid) == [("action", "action")]


@on_every_target
@pytest.mark.parametrize(
    ("raised", "status", "amount", "rows"),
    [
        (None, "succeed", START - 30, [("msg", "msg")]),
        (DTMFailureError, "failed", START, []),
        (ConnectionError, "succeed", START - 30, [("msg", "msg")]),  # lost after the commit
    ],
)
async def test_do_and_submit(target, dtms, bank, participants, raised, status, amount, rows):
    dtm, gid = await dtms(target), new_gid()

    def local(barrier):
        bank.withdraw(barrier, refused=raised is DTMFailureError)
        if raised:
            raise raised

    with pytest.raises(raised) if raised else nullcontext():
        await do_and_submit(dtm, bank, participants, gid, local)
    await dtm.until(gid, status)
    assert bank.amount == amount
    assert bank.barrier(gid, DTMCLI_SCHEMA) == rows
    assert [name for name in participants.names(gid) if name != "q"] == (["a1"] if status == "succeed" else [])


@on_every_target
async def test_a_local_operation_after_the_back_query_does_nothing(target, dtms, bank, participants):
    dtm, gid = await dtms(target), new_gid()

    def local(barrier):
        assert not bank.query_prepared(gid)
        bank.withdraw(barrier)

    with pytest.raises(Exception, match="duplicate"):
        await do_and_submit(dtm, bank, participants, gid, local)
    await dtm.until(gid, "failed")
    assert bank.amount == START
    assert participants.names(gid) == ["q"]


async def do_and_submit(dtm, bank, participants, gid, local):
    """Of DTM's client, which asks back itself after an error that is no refusal."""

    async def query_prepared(call):
        return OK if await asyncio.to_thread(bank.query_prepared, call.gid) else FAILURE

    participants.script(gid, "q", query_prepared)
    transfer = msg.Msg(f"{dtm.url}/dtmsvr", gid).add({"amount": 30}, participants.http("a1"))
    await asyncio.to_thread(transfer.do_and_submit, participants.http("q"), local)
