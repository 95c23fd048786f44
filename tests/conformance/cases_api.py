"""Cases 1 to 12: the API itself, duplicate and out-of-order calls."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.empty_pb2 import Empty

from .cases import case
from .dtm import new_gid
from .participants import ERROR, FAILURE, ONGOING


@case(1, "http")
async def new_gids_differ(dtm, sender, participants):
    answers = [(await dtm.get("dtmsvr/newGid"))[1] for _ in range(2)]
    replies = [await dtm.stub.NewGid(Empty()) for _ in range(2)]
    assert all(answer["dtm_result"] == "SUCCESS" for answer in answers)
    gids = {*(answer["gid"] for answer in answers), *(reply.Gid for reply in replies)}
    assert len(gids) == 4
    assert "" not in gids


@case(2, "http")
async def query_of_unknown_and_of_no_gid(dtm, sender, participants):
    assert await dtm.query(new_gid()) == {"transaction": None, "branches": []}
    status, answer = await dtm.get("dtmsvr/query")
    assert (status, answer["message"]) == (500, "no gid specified")


@case(3, "http")
async def truncated_json_stores_nothing(dtm, sender, participants):
    gid = new_gid()
    status, answer = await dtm.post("submit", b'{"gid":"%s","trans_type":"saga","steps":[' % gid.encode())
    assert status == 500
    assert answer["message"]
    assert "dtm_result" not in answer
    assert await dtm.transaction(gid) is None


@case(4)
async def fewer_payloads_than_steps(dtm, sender, participants):
    gid = new_gid()
    reply = await sender.saga(gid, "1", "2", payloads=["{}"])
    assert reply.code == 500
    assert reply.status in (None, grpc.StatusCode.INTERNAL)
    assert await dtm.transaction(gid) is None
    assert participants.names(gid) == []


@case(5)
async def unknown_gid_of_mutating_calls(dtm, sender, participants):
    gid = new_gid()
    reply = await sender.message(gid, call="abort")
    assert (reply.code, reply.message) == (500, f"no TransGlobal with gid: {gid} found")
    assert reply.status in (None, grpc.StatusCode.INTERNAL)
    status, answer = await dtm.post("forceStop", {"gid": gid})
    assert (status, answer) == (500, {"message": f"no TransGlobal with gid: {gid} found"})


@case(6)
async def prepare_is_repeatable_and_calls_nobody(dtm, sender, participants):
    gid = new_gid()
    for _ in range(2):
        assert (await sender.message(gid, "1", call="prepare", asks="q")).code == 200
    await asyncio.sleep(3)
    assert await dtm.status(gid) == "prepared"
    assert participants.names(gid) == []


@case(7)
async def finished_transactions_are_closed(dtm, sender, participants):
    done, failed = new_gid(), new_gid()
    assert (await sender.message(done, "1", wait_result=True)).code == 200
    prepare, submit = await sender.message(done, "1", call="prepare"), await sender.message(done, "1")
    assert (prepare.code, prepare.message) == (409, "current status 'succeed', cannot prepare. FAILURE")
    assert (submit.code, submit.message) == (409, "current status 'succeed', cannot sumbmit. FAILURE")
    await sender.message(failed, "1", call="prepare", asks="q")
    await sender.message(failed, call="abort")
    submit = await sender.message(failed, "1")
    assert (submit.code, submit.message) == (409, "current status 'failed', cannot sumbmit. FAILURE")
    assert participants.names(failed) == []


@case(8)
async def abort_of_a_prepared_message(dtm, sender, participants):
    gid = new_gid()
    await sender.message(gid, "1", call="prepare", asks="q")
    assert (await sender.message(gid, call="abort")).code == 200
    assert await dtm.status(gid) == "failed"
    assert (await dtm.transaction(gid))["rollback_time"]
    assert (await sender.message(gid, call="abort")).code == 409
    assert (await sender.message(gid, "1")).code == 409
    assert participants.names(gid) == []


@case(9)
async def a_saga_cannot_be_aborted(dtm, sender, participants):
    answers = {
        "prepared": {},
        "submitted": {"a1": ONGOING},
        "aborting": {"a1": FAILURE, "c1": ERROR},
        "succeed": {},
        "failed": {"a1": FAILURE},
    }
    for status, given in answers.items():
        gid = new_gid()
        for name, answer in given.items():
            participants.script(gid, name, answer)
        await sender.saga(gid, "1", call="prepare" if status == "prepared" else "submit", wait_result=True)
        assert await dtm.status(gid) == status
        reply = await sender.send("abort", gid, "saga", [])
        expected = f"trans type: 'saga' current status '{status}', cannot abort. FAILURE"
        assert (reply.code, reply.message) == (409, expected)
        assert await dtm.status(gid) == status


@case(10)
async def force_stop_does_not_compensate(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ONGOING)
    await sender.saga(gid, "1")
    await participants.wait_calls(gid, 1, timeout=5)
    await asyncio.sleep(0.5)
    assert (await dtm.post("forceStop", {"gid": gid}))[0] == 200
    assert await dtm.status(gid) == "failed"
    await asyncio.sleep(3)
    assert "c1" not in participants.names(gid)
    done = new_gid()
    await sender.saga(done, "1", wait_result=True)
    status, answer = await dtm.post("forceStop", {"gid": done})
    assert status == 409
    assert answer["message"] == "global transaction force stop error. status: succeed. error: FAILURE"


@case(11, "http")
async def gid_is_cleaned(dtm, sender, participants):
    gid = new_gid()
    assert (await sender.saga(f"{gid};\n1", wait_result=True)).code == 200
    assert await dtm.status(f"{gid}1") == "succeed"


@case(12)
async def no_steps_succeed_at_once(dtm, sender, participants):
    for send in (sender.saga, sender.message):
        gid = new_gid()
        assert (await send(gid, wait_result=True)).code == 200
        assert await dtm.status(gid) == "succeed"
        assert participants.names(gid) == []
