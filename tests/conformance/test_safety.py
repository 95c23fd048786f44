"""Where the embedded coordinator is better than the original: bad requests, retries by hand, the stop."""

from __future__ import annotations

import asyncio
import signal
import time

import aiohttp
import pytest

from .dtm import Dtm, Sender, new_gid
from .participants import ERROR, OK, ONGOING, after
from .patience import assert_within

DRIVERS = ("mysql", "redis")


@pytest.fixture(params=DRIVERS)
async def embedded(request, dtms):
    return await dtms(f"embedded-{request.param}")


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_bad_requests_are_refused_and_store_nothing(embedded, participants, transport):
    sender = Sender(embedded, participants, transport)
    bad = {
        "concurrent": {"custom_data": "{"},
        "orders": {"custom_data": {"orders": {"1": [2]}, "concurrent": True}},
        "negative": {"custom_data": {"orders": {"1": [-1]}, "concurrent": True}},
        "cycle": {"custom_data": {"orders": {"0": [1], "1": [0]}, "concurrent": True}},
        "against the sequence": {"custom_data": {"orders": {"0": [1]}}},
        "retry_limit": {"retry_limit": -1},
        "request_timeout": {"request_timeout": 2**40},
        "timeout_to_fail": {"timeout_to_fail": 2**40},
        "retry_interval": {"retry_interval": 2**40},
    }
    for name, options in bad.items():
        gid = new_gid()
        reply = await sender.saga(gid, "1", "2", **options)
        assert reply.code == 500, name
        assert reply.message
        assert await embedded.transaction(gid) is None
    assert (await sender.saga("", "1")).code == 500
    assert (await sender.saga("g" * 129, "1")).code == 500
    assert (await sender.send("submit", new_gid(), "tcc", [])).code == 500
    for delay in (-1, 2**40):
        assert (await sender.message(new_gid(), "1", custom_data={"delay": delay})).code == 500


async def test_a_body_without_end_is_refused(embedded):
    status, answer = await embedded.post("submit", b'{"gid":"' + b"x" * 5_000_000 + b'"}')
    assert (status, answer["message"]) == (500, "the body is larger than 4194304 bytes")


async def test_too_large_for_the_columns_of_mysql(dtms, participants):
    dtm = await dtms("embedded-mysql")
    sender = Sender(dtm, participants, "grpc")
    for options in ({"payloads": ["x" * 70_000]}, {"branch_headers": {"x-long": "x" * 1100}}):
        gid = new_gid()
        assert (await sender.saga(gid, "1", **options)).code == 500
        assert await dtm.transaction(gid) is None
        assert participants.names(gid) == []


async def test_one_bad_write_does_not_spoil_its_group(dtms, participants):
    """Many submits at once share transactions of MySQL; one that the database refuses fails alone."""
    dtm = await dtms("embedded-mysql")
    sender = Sender(dtm, participants, "grpc")
    gids = [new_gid("group") for _ in range(40)]
    payloads = [["x" * (70_000 if number % 10 == 5 else 10)] for number in range(40)]
    twins = gids[:5]
    replies = await asyncio.gather(
        *(
            sender.saga(gid, "1", payloads=payload, wait_result=True)
            for gid, payload in zip(gids, payloads, strict=True)
        ),
        *(sender.saga(gid, "1", wait_result=True) for gid in twins),
    )
    for number, gid in enumerate(gids):
        codes = {replies[number].code} | ({replies[40 + number].code} if number < len(twins) else set())
        if number % 10 == 5:
            assert codes == {500}
            assert await dtm.transaction(gid) is None
        else:
            # A twin joins the pass of the other, or comes after its end.
            assert 200 in codes, (number, codes)
            assert codes <= {200, 409}
            assert await dtm.status(gid) == "succeed"


async def test_a_retry_by_hand(embedded, participants):
    sender = Sender(embedded, participants, "http")
    one, many = new_gid(), new_gid()
    for gid in (one, many):
        participants.script(gid, "a1", ERROR, OK)
        await sender.saga(gid, "1", wait_result=True)
    assert (await embedded.post("resetNextCronTime", {"gid": one}))[0] == 200
    await embedded.until(one, "succeed", 4)
    assert await embedded.status(many) == "submitted"
    status, answer = await embedded.get("dtmsvr/resetCronTime", timeout=1, limit=100)
    assert (status, answer["has_remaining"]) == (200, False)
    assert answer["succeed_count"] >= 1
    await embedded.until(many, "succeed", 4)
    assert (await embedded.post("resetNextCronTime", {"gid": many}))[0] == 409


async def test_a_repeated_submit_is_a_retry_and_keeps_the_interval(embedded, participants):
    """A client may drive an unfinished saga by submitting it again; cron stays as quick as it was."""
    sender, gid = Sender(embedded, participants, "grpc"), new_gid()
    participants.script(gid, "a2", *[ERROR] * 4, OK)
    for _ in range(4):
        assert (await sender.saga(gid, "1", "2", retry_interval=14, wait_result=True)).code == 409
        assert (await embedded.transaction(gid))["next_cron_interval"] == 28
    assert (await sender.saga(gid, "1", "2", retry_interval=14, wait_result=True)).code == 200
    assert participants.names(gid) == ["a1", *["a2"] * 5]
    assert (await sender.saga(gid, "1", "2")).message == "current status 'succeed', cannot sumbmit. FAILURE"


async def test_lists(embedded, participants):
    sender = Sender(embedded, participants, "http")
    gids = [new_gid("list") for _ in range(3)]
    for gid in gids:
        await sender.message(gid, "1", call="prepare", asks="q")
    found, position = [], ""
    while True:
        status, page = await embedded.get("dtmsvr/all", position=position, limit=2, status="prepared", transType="msg")
        assert status == 200
        found += [trans["gid"] for trans in page["transactions"]]
        position = page["next_position"]
        if not position:
            break
    assert set(gids) <= set(found)
    assert len(found) == len(set(found))
    _, page = await embedded.get("dtmsvr/all", gid=gids[0])
    assert [trans["gid"] for trans in page["transactions"]] == [gids[0]]


async def test_metrics_know_routes_only(embedded, participants):
    await embedded.query(new_gid())
    async with aiohttp.ClientSession() as session, session.get(f"{embedded.url}/metrics") as response:
        text = await response.text()
    assert 'dtm_server_process_total{api="query",status="ok",type="http"}' in text
    assert "gid=" not in text
    assert "dtm_transaction_process_total" in text
    assert 'dtm_server_info{version="' in text


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
async def test_sigterm_finishes_what_runs(driver, coordinators, spaces, participants):
    coordinator = coordinators(spaces(driver))
    await coordinator.wait_ready()
    dtm = Dtm(coordinator.http, coordinator.grpc)
    sender, gid = Sender(dtm, participants, "grpc"), new_gid()
    participants.script(gid, "a1", after(1.5))
    waiting = asyncio.create_task(sender.saga(gid, "1", wait_result=True))
    await participants.wait_calls(gid, 1, 5)
    coordinator.process.send_signal(signal.SIGTERM)
    assert (await waiting).code == 200
    assert await asyncio.to_thread(coordinator.process.wait, 60) == 0
    assert len(participants.calls(gid)) == 1
    await dtm.close()


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_slow_pass_delays_no_other(driver, dtms, participants):
    """Forty transactions that hang at their participant; the one after them is retried on time."""
    dtm = await dtms(f"embedded-{driver}")
    sender = Sender(dtm, participants, "grpc")
    slow, quick = [new_gid("slow") for _ in range(40)], new_gid("quick")
    for gid in slow:
        participants.script(gid, "a1", ONGOING, after(6))
    participants.script(quick, "a1", ONGOING, OK)
    await asyncio.gather(*(sender.saga(gid, "1", retry_interval=1, request_timeout=8) for gid in slow))
    began = time.monotonic()
    await sender.saga(quick, "1", retry_interval=1)
    await dtm.until(quick, "succeed", 6)
    assert_within(time.monotonic() - began, 0, 5)
    await asyncio.gather(*(dtm.until(gid, "succeed", 15) for gid in slow))
