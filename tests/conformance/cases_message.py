"""Cases 39 to 46: two-phase messages."""

from __future__ import annotations

import asyncio
import time

from .cases import case
from .cases_saga import gaps
from .dtm import new_gid
from .participants import ERROR, FAILURE, OK, ONGOING, when
from .patience import assert_within


@case(39)
async def branches_in_order(dtm, sender, participants):
    gid = new_gid()
    assert (await sender.message(gid, "1", "2")).code == 200
    await dtm.until(gid, "succeed")
    assert participants.names(gid) == ["a1", "a2"]
    assert await dtm.rows(gid) == [("01", "action", "succeed"), ("02", "action", "succeed")]


@case(39)
async def an_error_holds_the_next_branch_back(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", ERROR, OK)
    await sender.message(gid, "1", "2", retry_interval=1)
    await dtm.until(gid, "succeed", 8)
    assert participants.names(gid) == ["a1", "a1", "a2"]


@case(40)
async def a_message_cannot_be_refused(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "a1", FAILURE, FAILURE, OK)
    await sender.message(gid, "1", retry_interval=1)
    first, second = gaps(await participants.wait_calls(gid, 3, timeout=13))
    assert_within(first, 1, 5)
    assert_within(second, 3, 7)
    await dtm.until(gid, "succeed", 3)


@case(41)
async def a_silent_sender_is_asked(dtm, sender, participants):
    gid, began = new_gid(), time.monotonic()
    await sender.message(gid, "1", call="prepare", asks="q", timeout_to_fail=5)
    (asked,) = await participants.wait_calls(gid, 1, timeout=18, name="q")
    assert_within(asked.began - began, 4, 18)
    assert asked.body == b""
    names = {"branch_id": "00", "op": "msg", "trans_type": "msg", "gid": gid}
    if sender.transport == "http":
        assert asked.method == "GET"
        assert asked.query == names
    else:
        assert {name: asked.metadata[f"dtm-{name}"] for name in names} == names
    await dtm.until(gid, "succeed", 3)
    assert participants.names(gid) == ["q", "a1"]


@case(42)
async def the_sender_says_no(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "q", FAILURE)
    await sender.message(gid, "1", call="prepare", asks="q", timeout_to_fail=5)
    await dtm.until(gid, "failed", 18)
    assert participants.names(gid) == ["q"]


@case(42)
async def the_sender_does_not_know_yet(dtm, sender, participants):
    gid = new_gid()
    participants.script(gid, "q", ONGOING, OK)
    await sender.message(gid, "1", call="prepare", asks="q", timeout_to_fail=5)
    (gap,) = gaps(await participants.wait_calls(gid, 2, timeout=28, name="q"))
    assert_within(gap, 3, 9)
    await dtm.until(gid, "succeed", 3)


@case(43)
async def nobody_to_ask(dtm, sender, participants):
    gid = new_gid()
    await sender.message(gid, "1", call="prepare", timeout_to_fail=5)
    await dtm.until(gid, "succeed", 18)
    assert participants.names(gid) == ["a1"]


@case(44)
async def a_delay(dtm, sender, participants):
    gid, began = new_gid(), time.monotonic()
    await sender.message(gid, "1", custom_data={"delay": 4})
    (call,) = await participants.wait_calls(gid, 1, timeout=12)
    assert_within(call.began - began, 4, 12)
    await dtm.until(gid, "succeed", 3)


@case(45, "http")
async def concurrent_branches(dtm, sender, participants):
    gid, together = new_gid(), asyncio.Event()
    participants.script(gid, "a1", when(together))
    participants.script(gid, "a2", when(together))
    await sender.message(gid, "1", "2", concurrent=True)
    await participants.wait_calls(gid, 2, timeout=2)
    together.set()
    await dtm.until(gid, "succeed")


@case(46)
async def topics(dtm, sender, participants):
    topic = new_gid("topic")
    subscribe = {"topic": topic, "url": sender.url("t1"), "remark": "one"}
    assert (await dtm.get("dtmsvr/subscribe", **subscribe))[0] == 200
    assert (await dtm.get("dtmsvr/subscribe", **subscribe)) == (500, {"message": "this url exists"})
    await asyncio.sleep(4)
    gid, steps = new_gid(), [{"action": f"topic://{topic}"}]
    assert (await sender.send("submit", gid, "msg", steps, wait_result=True)).code == 200
    assert [branch for branch, _, _ in await dtm.rows(gid)] == ["01"]
    assert (await dtm.get("dtmsvr/subscribe", topic=topic, url=sender.url("t2")))[0] == 200
    await asyncio.sleep(4)
    gid = new_gid()
    assert (await sender.send("submit", gid, "msg", steps, wait_result=True)).code == 200
    await asyncio.sleep(0.5)
    assert [branch for branch, _, _ in await dtm.rows(gid)] == ["01-01", "01-02"]
    assert participants.names(gid) == ["t1", "t2"]
    assert (await dtm.get("dtmsvr/unsubscribe", topic=topic, url=sender.url("t1")))[0] == 200
    reply = await sender.send("submit", new_gid(), "msg", [{"action": f"topic://{new_gid()}"}])
    assert (reply.code, reply.message) == (500, "topic not found")
