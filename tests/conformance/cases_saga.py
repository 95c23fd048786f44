"""Cases 20 to 35 and 38: sagas."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from .cases import case
from .dtm import new_gid
from .participants import ERROR, FAILURE, OK, ONGOING, after, when
from .patience import assert_within

CONCURRENT = {"concurrent": True}


def statuses(rows):
    """`{"c1": "prepared", "a1": "succeed", …}` of (branch id, op, status) rows."""
    return {f"{op[0] if op == 'action' else 'c'}{int(branch)}": status for branch, op, status in rows}


def gaps(calls):
    return [later.began - earlier.began for earlier, later in pairwise(calls)]


@case(20)
async def all_actions_succeed(dtm, sender, participants):
    gid = new_gid()
    assert (await sender.saga(gid, "1", "2", "3")).code == 200
    trans = await dtm.until(gid, "succeed")
    assert participants.names(gid) == ["a1", "a2", "a3"]
    assert trans["finish_time"]
    assert await dtm.rows(gid) == [
        row for n in ("01", "02", "03") for row in ((n, "compensate", "prepared"), (n, "action", "succeed"))
    ]


@case(21)
async def a_refusal_rolls_back(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a2", FAILURE)
    assert (await sender.saga(gid, "1", "2", "3")).code == 200
    trans = await dtm.until(gid, "failed")
    assert participants.names(gid) == ["a1", "a2", "c2", "c1"]
    assert statuses(await dtm.rows(gid)) == {
        "c1": "succeed", "a1": "succeed", "c2": "succeed", "a2": "failed", "c3": "prepared", "a3": "prepared",
    }  # fmt: skip
    assert trans["rollback_reason"] == f"url:{sender.url('a2')} return failed: sold out FAILURE"
    assert trans["rollback_time"]


@case(22)
async def a_refusal_with_wait_result(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a2", FAILURE)
    reply = await sender.saga(gid, "1", "2", "3", wait_result=True)
    trans = await dtm.transaction(gid)
    assert trans["status"] == "failed"
    assert (reply.code, reply.message) == (409, trans["rollback_reason"])


@case(23)
async def ongoing_with_wait_result(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ONGOING, OK)
    reply = await sender.saga(gid, "1", wait_result=True)
    assert (reply.code, reply.message) == (409, "wait result not return success: FAILURE")
    assert await dtm.status(gid) == "submitted"
    await participants.wait_calls(gid, 2, timeout=14)
    await dtm.until(gid, "succeed", 3)


@case(24)
async def errors_double_the_interval(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ERROR, ERROR, OK)
    await sender.saga(gid, "1", retry_interval=1)
    await participants.wait_calls(gid, 1, timeout=2)
    await dtm.until_interval(gid, 2)
    await participants.wait_calls(gid, 2, timeout=6)
    await dtm.until_interval(gid, 4)
    first, second = gaps(await participants.wait_calls(gid, 3, timeout=8))
    assert_within(first, 1, 5)
    assert_within(second, 3, 7)
    await dtm.until(gid, "succeed", 3)


@case(25)
async def ongoing_keeps_the_interval(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", *[ONGOING] * 5, OK)
    await sender.saga(gid, "1", retry_interval=2)
    calls = await participants.wait_calls(gid, 5, timeout=25)
    for gap in gaps(calls):
        assert_within(gap, 1, 5.5)
    assert (await dtm.transaction(gid))["next_cron_interval"] == 2
    await dtm.until(gid, "succeed", 6)


@case(26)
async def a_saga_times_out(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ONGOING)
    await sender.saga(gid, "1", timeout_to_fail=5)
    first = (await participants.wait_calls(gid, 1, timeout=2))[0]
    (compensation,) = await participants.wait_calls(gid, 1, timeout=13, name="c1")
    assert_within(compensation.began - first.began, 4, 13)
    trans = await dtm.until(gid, "failed", 3)
    assert trans["rollback_reason"] == "Timeout after 5 seconds"
    assert statuses(await dtm.rows(gid)) == {"c1": "succeed", "a1": "prepared"}


@case(27)
async def a_retry_limit(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ERROR)
    reply = await sender.saga(gid, "1", retry_limit=2, wait_result=True)
    calls = participants.calls(gid)
    assert [call.name for call in calls] == ["a1", "a1", "a1", "c1"]
    assert_within(calls[2].began - calls[0].began, 0, 1)
    reason = "RetryCount is greater than RetryLimit, RetryLimit: 2"
    assert (reply.code, reply.message) == (409, f"{reason} FAILURE")
    trans = await dtm.until(gid, "failed", 3)
    assert trans["rollback_reason"] == reason


@case(28)
async def a_longer_request_timeout(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", after(4), OK)
    await sender.saga(gid, "1", request_timeout=6)
    await dtm.until(gid, "succeed", 9)
    assert participants.names(gid) == ["a1"]


@case(28)
async def the_usual_request_timeout(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", after(4), OK)
    await sender.saga(gid, "1", retry_interval=1)
    first, *_ = await participants.wait_calls(gid, 2, timeout=12)
    await dtm.until(gid, "succeed", 5)
    await asyncio.sleep(max(0, first.began + 4.5 - time.monotonic()))
    assert first.cancelled


@case(29)
async def a_compensation_is_retried_after_an_error(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", FAILURE)
    participants.script(gid, "c1", ERROR, OK)
    await sender.saga(gid, "1", retry_interval=1)
    await participants.wait_calls(gid, 1, timeout=3, name="c1")
    assert await dtm.status(gid) == "aborting"
    (gap,) = gaps(await participants.wait_calls(gid, 2, timeout=7, name="c1"))
    assert_within(gap, 1, 5)
    await dtm.until(gid, "failed", 3)


@case(30)
async def a_compensation_cannot_fail(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", FAILURE)
    participants.script(gid, "c1", FAILURE, FAILURE, OK)
    await sender.saga(gid, "1", retry_interval=1)
    await participants.wait_calls(gid, 2, timeout=8, name="c1")
    assert await dtm.status(gid) == "aborting"
    await dtm.until(gid, "failed", 12)
    assert len(participants.calls(gid, "c1")) == 3


@case(31)
async def concurrent_actions_are_in_flight_together(dtm, sender, participants):
    gid, together = new_gid(), asyncio.Event()
    for name in ("a1", "a2", "a3"):
        participants.script(gid, name, when(together))
    await sender.saga(gid, "1", "2", "3", custom_data=CONCURRENT)
    await participants.wait_calls(gid, 3, timeout=2)
    together.set()
    await dtm.until(gid, "succeed")
    assert sorted(participants.names(gid)) == ["a1", "a2", "a3"]


@case(32)
async def ordered_actions(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", after(0.3))
    participants.script(gid, "a2", after(0.6))
    await sender.saga(gid, "1", "2", "3", custom_data={"orders": {"2": [0, 1]}, "concurrent": True})
    await dtm.until(gid, "succeed")
    calls = {call.name: call for call in participants.calls(gid)}
    assert_within(abs(calls["a1"].began - calls["a2"].began), 0, 0.25)
    assert calls["a3"].began >= max(calls["a1"].ended, calls["a2"].ended)


@case(32)
async def ordered_compensations(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a3", FAILURE)
    participants.script(gid, "c3", after(0.3))
    await sender.saga(gid, "1", "2", "3", custom_data={"orders": {"2": [0, 1]}, "concurrent": True})
    await dtm.until(gid, "failed")
    calls = {call.name: call for call in participants.calls(gid)}
    assert min(calls["c1"].began, calls["c2"].began) >= calls["c3"].ended


@case(33)
async def what_may_have_run_is_compensated(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ONGOING)
    participants.script(gid, "a2", after(0.3, FAILURE))
    orders = {"orders": {"3": [0, 2]}, "concurrent": True}
    await sender.saga(gid, "1", "2", "3", "4", custom_data=orders)
    await dtm.until(gid, "failed")
    assert sorted(participants.names(gid)) == ["a1", "a2", "a3", "c1", "c2", "c3"]


@case(34, "http")
async def the_flag_alone_does_not_make_a_saga_concurrent(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", after(0.3))
    await sender.saga(gid, "1", "2", concurrent=True)
    await dtm.until(gid, "succeed")
    first, second = participants.calls(gid)
    assert second.began >= first.ended


@case(35)
async def a_duplicate_submit_of_a_running_saga(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", after(2))
    assert (await sender.saga(gid, "1", "2")).code == 200
    await participants.wait_calls(gid, 1, timeout=2)
    assert (await sender.saga(gid, "1", "2")).code == 200
    await dtm.until(gid, "succeed", 15)
    assert 1 <= len(participants.calls(gid, "a1")) <= 2
    assert set(participants.names(gid)) == {"a1", "a2"}


@case(38)
async def a_saga_may_be_prepared_first(dtm, sender, participants):
    gid = new_gid()
    assert (await sender.saga(gid, "1", "2", call="prepare")).code == 200
    assert await dtm.status(gid) == "prepared"
    assert (await sender.saga(gid, "1", "2", wait_result=True)).code == 200
    assert participants.names(gid) == ["a1", "a2"]
    assert await dtm.status(gid) == "succeed"
