"""Cases 13 to 19: what a branch call looks like, and what its answer means."""

from __future__ import annotations

import asyncio

import grpc

from .cases import case
from .dtm import new_gid
from .participants import FAILURE, OK, after, grpc_answer, http_answer
from .patience import slack


@case(13, "http")
async def http_call(dtm, sender, participants):
    gid = new_gid()
    payload = '{"n":1, "text":"ü  "}'
    step = {"action": participants.http("a1") + "?kept=1&also=%2F", "compensate": ""}
    await sender.send("submit", gid, "saga", [step], [payload], branch_headers={"x-trace": "t1"}, wait_result=True)
    (call,) = participants.calls(gid)
    assert (call.method, call.body) == ("POST", payload.encode())
    assert call.query == {
        "branch_id": "01", "gid": gid, "op": "action", "trans_type": "saga", "kept": "1", "also": "/",
    }  # fmt: skip
    assert call.metadata["content-type"] == "application/json"
    assert call.metadata["x-trace"] == "t1"


@case(14)
async def empty_payload_and_empty_urls(dtm, sender, participants):
    gid = new_gid()
    steps = [{"action": "", "compensate": ""}, {"action": participants.http("a2"), "compensate": ""}]
    assert (await sender.send("submit", gid, "saga", steps, ["", ""], wait_result=True)).code == 200
    (call,) = participants.calls(gid)
    assert (call.method, call.body, call.query["branch_id"]) == ("GET", b"", "02")


@case(14)
async def empty_compensations_are_done_without_a_call(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a2", FAILURE)
    steps = [{"action": sender.url(name), "compensate": ""} for name in ("a1", "a2")]
    assert (await sender.send("submit", gid, "saga", steps, wait_result=True)).code == 409
    await dtm.until(gid, "failed")
    assert participants.names(gid) == ["a1", "a2"]
    assert [status for _, op, status in await dtm.rows(gid) if op == "compensate"] == ["succeed"] * 2


@case(15, "grpc")
async def grpc_call(dtm, sender, participants):
    gid = new_gid()
    await sender.saga(gid, "1", payloads=["\x00\x01raw"], branch_headers={"x-trace": "t1"}, wait_result=True)
    (call,) = participants.calls(gid)
    assert (call.path, call.body) == ("/conformance.Busi/a1", b"\x00\x01raw")
    expected = {
        "dtm-gid": gid,
        "dtm-trans_type": "saga",
        "dtm-branch_id": "01",
        "dtm-op": "action",
        "dtm-dtm": "",
        "x-trace": "t1",
    }
    assert {key: call.metadata.get(key) for key in expected} == expected
    assert 2 - slack() < call.deadline < 3.1


@case(16, "grpc")
async def http_url_in_a_grpc_transaction(dtm, sender, participants):
    gid = new_gid()
    step = {"action": participants.http("a1"), "compensate": ""}
    assert (await sender.send("submit", gid, "saga", [step], ['{"n":2}'], wait_result=True)).code == 200
    (call,) = participants.calls(gid)
    assert (call.method, call.body) == ("POST", b'{"n":2}')


@case(17, "grpc")
async def grpc_urls_of_other_forms(dtm, sender, participants):
    gids = {}
    for url in (f"dns:///{participants.grpc('a1')}", f"grpc://{participants.grpc('a1')}", "127.0.0.1:1"):
        gids[url] = new_gid()
        reply = await sender.send("submit", gids[url], "saga", [{"action": url, "compensate": ""}], wait_result=True)
        assert reply.code == 409
        assert await dtm.status(gids[url]) == "submitted"
        assert participants.names(gids[url]) == []
        await dtm.post("forceStop", {"gid": gids[url]})


async def expect_status(dtm, sender, participants, answer, status):
    """A saga of one step whose action gives this answer ends the first pass in this status."""
    gid = new_gid()
    participants.script(gid, "a1", answer)
    reply = await sender.saga(gid, "1", wait_result=True)
    assert reply.code == (200 if status == "succeed" else 409), (answer, reply)
    assert await dtm.status(gid) == status, answer
    await dtm.post("forceStop", {"gid": gid})


@case(18, "http")
async def http_classification(dtm, sender, participants):
    expected = {
        (200, "{}"): "succeed",
        (409, ""): "failed",
        (200, '{"dtm_result":"FAILURE"}'): "failed",
        (500, "a FAILURE of some kind"): "failed",
        (425, ""): "submitted",
        (409, '{"dtm_result":"ONGOING"}'): "submitted",
        (200, "ONGOING FAILURE"): "submitted",
        (201, ""): "submitted",
        (204, ""): "submitted",
        (500, ""): "submitted",
    }
    await asyncio.gather(
        *(expect_status(dtm, sender, participants, http_answer(*given), status) for given, status in expected.items())
    )


@case(19, "grpc")
async def grpc_classification(dtm, sender, participants):
    code = grpc.StatusCode
    expected = {
        (code.OK, ""): "succeed",
        (code.ABORTED, "no"): "failed",
        (code.ABORTED, ""): "failed",
        (code.ABORTED, "ONGOING"): "submitted",
        (code.FAILED_PRECONDITION, ""): "submitted",
        (code.UNKNOWN, "FAILURE"): "submitted",
        (code.INTERNAL, "FAILURE"): "submitted",
        (code.UNAVAILABLE, ""): "submitted",
    }
    answers = {grpc_answer(*given): status for given, status in expected.items()} | {after(4, OK): "submitted"}
    await asyncio.gather(
        *(expect_status(dtm, sender, participants, answer, status) for answer, status in answers.items())
    )
