"""What answers mean, and reasons of refusals."""

from __future__ import annotations

import grpc
import pytest
from aiohttp import web

from services.coordinator.branch_calls import BranchCaller, Origin, Result, classify_grpc, classify_http, refusal

CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, "", Result.SUCCESS),
        (200, '{"x":"FAILURE"}', Result.FAILURE),
        (409, "", Result.FAILURE),
        (500, "FAILURE", Result.FAILURE),
        (425, "", Result.ONGOING),
        (409, "ONGOING", Result.ONGOING),
        (200, "FAILURE ONGOING", Result.ONGOING),
        (201, "", Result.ERROR),
        (204, "", Result.ERROR),
        (302, "", Result.ERROR),
        (500, "", Result.ERROR),
    ],
)
def test_http(status, body, result):
    assert classify_http(status, body).result is result


@pytest.mark.parametrize(
    ("code", "details", "result"),
    [
        (CODE.ABORTED, "no", Result.FAILURE),
        (CODE.ABORTED, "ONGOING", Result.ONGOING),
        (CODE.ABORTED, "ONGOING ", Result.FAILURE),
        (CODE.FAILED_PRECONDITION, "FAILURE", Result.ONGOING),
        (CODE.UNKNOWN, "FAILURE", Result.ERROR),
        (CODE.UNAVAILABLE, "", Result.ERROR),
        (CODE.DEADLINE_EXCEEDED, "", Result.ERROR),
    ],
)
def test_grpc(code, details, result):
    answer = classify_grpc(code, details)
    assert (answer.result, answer.code) == (result, code)


def test_refusals():
    assert refusal("u", "sold out") == "url:u return failed: sold out FAILURE"
    assert refusal("u", "sold out FAILURE") == "url:u return failed: sold out FAILURE"
    assert refusal("u", "FAILURE") == "url:u return failed: FAILURE FAILURE"


@pytest.mark.parametrize("url", ["dns:///h:1/S/M", "grpc://h:1/S/M", "h:1"])
async def test_urls_that_nobody_can_call_are_errors(url):
    caller = BranchCaller()
    await caller.open()
    answer = await caller.call(Origin("g", "saga", "grpc", {}, 1), url, "01", "action", b"")
    assert answer.result is Result.ERROR
    assert url in answer.text
    empty = await caller.call(Origin("g", "saga", "grpc", {}, 1), "", "01", "action", b"")
    assert empty.result is Result.SUCCESS
    await caller.close()


async def test_a_header_of_the_transaction_takes_the_place_of_ours():
    received = []

    async def answer(request):
        received.append(request.headers)
        return web.Response()

    server = web.ServerRunner(web.Server(answer))
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    caller = BranchCaller()
    await caller.open()
    origin = Origin("g", "saga", "http", {"content-type": "text/plain", "X-Trace": "t"}, 5)
    url = f"http://127.0.0.1:{server.addresses[0][1]}/a"
    assert (await caller.call(origin, url, "01", "action", b"{}")).result is Result.SUCCESS
    assert received[0].getall("Content-Type") == ["text/plain"]
    assert received[0].getall("Accept") == ["application/json"]
    assert received[0]["X-Trace"] == "t"
    await caller.close()
    await server.cleanup()
