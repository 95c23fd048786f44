"""Cases 36, 37 and 53: coordinators that are killed with signal 9, and two of them on one store."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from .cases import crash_case
from .conftest import STARTED
from .dtm import Dtm, Sender, new_gid
from .participants import ERROR, FAILURE, OK, ONGOING, after


@asynccontextmanager
async def coordinator_of(target, spaces, coordinators, space=None):
    """A coordinator of this test's own, over a store of its own or the given one, and its client."""
    origin, _, driver = target.partition("-")
    coordinator = coordinators(space or spaces(driver), original=origin == "original")
    await coordinator.wait_ready()
    dtm = Dtm(coordinator.http, coordinator.grpc)
    try:
        yield coordinator, dtm
    finally:
        await dtm.close()
        coordinator.stop()


@crash_case(36)
async def killed_in_the_middle(target, spaces, coordinators, participants):
    """Sagas and messages at every stage and one kill -9: each ends as it must, and no decided step is repeated."""
    async with coordinator_of(target, spaces, coordinators) as (coordinator, dtm):
        sender = Sender(dtm, participants, "grpc")
        forward, backward, message, prepared = (
            new_gid(name) for name in ("forward", "backward", "message", "prepared")
        )
        participants.script(forward, "a2", after(60), after(0))
        await sender.saga(forward, "1", "2", "3")
        participants.script(backward, "a2", FAILURE)
        participants.script(backward, "c1", after(60), after(0))
        await sender.saga(backward, "1", "2")
        participants.script(message, "a2", after(60), after(0))
        await sender.message(message, "1", "2")
        await sender.message(prepared, "1", call="prepare", asks="q", timeout_to_fail=5)
        await participants.wait_calls(forward, 1, 5, "a2")
        await participants.wait_calls(backward, 1, 5, "c1")
        await participants.wait_calls(message, 1, 5, "a2")

        coordinator.kill()
        await asyncio.sleep(0.5)
        coordinator.start()
        await coordinator.wait_ready()

        await dtm.until(forward, "succeed", 25)
        await dtm.until(backward, "failed", 25)
        await dtm.until(message, "succeed", 25)
        await dtm.until(prepared, "succeed", 25)
        assert participants.names(forward) == ["a1", "a2", "a2", "a3"]
        assert participants.names(backward) == ["a1", "a2", "c2", "c1", "c1"]
        assert participants.names(message) == ["a1", "a2", "a2"]
        assert participants.names(prepared) == ["q", "a1"]


@crash_case(53)
async def two_coordinators_on_one_store(target, spaces, coordinators, participants):
    """Twenty sagas that stay ongoing: each is called once per interval, by one of the two; one outlives the other."""
    space = spaces(target.partition("-")[2])
    gids = [new_gid("shared") for _ in range(20)]
    for gid in gids:
        participants.script(gid, "a1", ONGOING)
    async with (
        coordinator_of(target, spaces, coordinators, space) as (_, one),
        coordinator_of(target, spaces, coordinators, space) as (second, two),
    ):
        for number, gid in enumerate(gids):
            sender = Sender((one, two)[number % 2], participants, "http")
            assert (await sender.saga(gid, "1", retry_interval=2)).code == 200
        await asyncio.sleep(9)
        for gid in gids:
            times = [call.began for call in participants.calls(gid)]
            assert len(times) >= 2, gid
            assert all(later - earlier >= 1 for earlier, later in pairwise(times)), (gid, times)
        second.kill()
        for gid in gids:
            participants.script(gid, "a1", after(0))
        await asyncio.gather(*(one.until(gid, "succeed", 20) for gid in gids))
        second.start()


@crash_case(54)
async def all_or_nothing_under_kills(target, spaces, coordinators, participants):
    """Sagas with moody participants at two coordinators that are killed in turn: each saga is done or undone."""
    space, moods, steps = spaces(target.partition("-")[2]), random.Random(target), ("1", "2", "3")
    gids = [new_gid("kills") for _ in range(60)]
    for gid in gids:
        for step in steps:
            last = moods.choices((after(0.3, OK), FAILURE), (5, 1))[0]
            participants.script(gid, f"a{step}", *moods.choices((ERROR, ONGOING, OK)), last)
            participants.script(gid, f"c{step}", *moods.choices((ERROR, ONGOING, FAILURE, OK)), after(0.1, OK))
    async with (
        coordinator_of(target, spaces, coordinators, space) as (first, one),
        coordinator_of(target, spaces, coordinators, space) as (second, two),
    ):

        async def send(number, gid):
            sender = Sender((one, two)[number % 2], participants, "grpc")
            data = {"concurrent": number % 3 > 0, "orders": {"2": [0, 1]}}
            for _ in range(100):  # as a client does: again, with the same gid
                if (await sender.saga(gid, *steps, custom_data=data, retry_interval=1)).code != 500:
                    return
                await asyncio.sleep(0.3)

        sending = [asyncio.create_task(send(number, gid)) for number, gid in enumerate(gids)]
        for coordinator in (first, second) * 2:
            await asyncio.sleep(1)
            coordinator.kill()
            coordinator.start()
            await coordinator.wait_ready()
        await asyncio.gather(*sending)
        for gid in gids:
            await until_finished(one, gid)
        for gid in gids:
            check_all_or_nothing(await one.status(gid), [call for call in participants.calls(gid) if call.answer])


@crash_case(55)
async def another_engine_takes_over(target, spaces, coordinators, participants):
    """Killed in the middle, and the other engine, where there is one, goes on with the same store."""
    origin, _, driver = target.partition("-")
    successor = f"embedded-{driver}" if origin == "original" else f"original-{driver}"
    if successor not in STARTED:
        pytest.skip("ESHOP_DTM_BIN is not set: there is no other engine")
    space = spaces(driver)
    forward, backward, message, prepared = (new_gid(name) for name in ("forward", "backward", "message", "prepared"))
    participants.script(forward, "a2", ONGOING, OK)
    participants.script(backward, "a2", FAILURE)
    participants.script(backward, "c1", ERROR, OK)
    participants.script(message, "a2", ERROR, OK)
    async with coordinator_of(target, spaces, coordinators, space) as (first, dtm):
        sender = Sender(dtm, participants, "grpc")
        await sender.saga(forward, "1", "2", "3", branch_headers={"x-trace": "t1"})
        await sender.saga(backward, "1", "2")
        await sender.message(message, "1", "2")
        await sender.message(prepared, "1", call="prepare", asks="q", timeout_to_fail=15)
        await participants.wait_calls(forward, 1, 5, "a2")
        await participants.wait_calls(backward, 1, 5, "c1")
        await participants.wait_calls(message, 1, 5, "a2")
        await asyncio.sleep(1)
        first.kill()
        async with coordinator_of(successor, spaces, coordinators, space) as (_, dtm):
            await dtm.until(forward, "succeed", 30)
            await dtm.until(backward, "failed", 30)
            await dtm.until(message, "succeed", 30)
            await dtm.until(prepared, "succeed", 40)
            assert participants.names(forward) == ["a1", "a2", "a2", "a3"]
            assert all(call.metadata["x-trace"] == "t1" for call in participants.calls(forward))
            assert participants.names(backward) == ["a1", "a2", "c2", "c1", "c1"]
            assert (await dtm.transaction(backward))["rollback_reason"].endswith("sold out FAILURE")
            assert participants.names(message) == ["a1", "a2", "a2"]
            assert participants.names(prepared) == ["q", "a1"]
        first.start()


async def until_finished(dtm, gid):
    for _ in range(450):
        if await dtm.status(gid) in ("succeed", "failed"):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{gid} is {await dtm.status(gid)}")


def check_all_or_nothing(status, calls):
    """What barriers make of these calls: an action counts unless its compensation was called, before or after it."""
    done = {call.name[1:] for call in calls if call.name[0] == "a" and call.answer.http[0] == 200}
    undone = {call.name[1:] for call in calls if call.name[0] == "c" and call.answer.http[0] == 200}
    assert done - undone == ({"1", "2", "3"} if status == "succeed" else set()), (status, calls)
