"""Passes over sagas and messages against a store in memory, among them random ones that crash at random writes."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.execution import Execution
from services.coordinator.message import MessagePass
from services.coordinator.plan import read_plan
from services.coordinator.saga import SagaPass, action_of, compensation_of
from services.coordinator.store import StatusConflict
from services.coordinator.transaction import FAILED, PREPARED, SUCCEED

from .memory import ERROR, FAILURE, ONGOING, SETTINGS, SUCCESS, Crash, MemoryStore, Participants, message, saga


async def run(store, participants):
    execution = Execution(store.load(), store, participants, SETTINGS)
    if execution.trans.trans_type == "saga":
        await SagaPass(execution).run()
    else:
        await MessagePass(execution, 35).run()


async def run_new(stored, **answers):
    store = MemoryStore(stored)
    participants = Participants(store, answers)
    await run(store, participants)
    return store, participants


async def test_a_wave_is_one_write_and_the_end_is_another():
    orders = json.dumps({"concurrent": True, "orders": {"3": [0, 1, 2]}})
    store, participants = await run_new(saga(4, orders))
    assert store.stored.trans.status == SUCCEED
    assert participants.calls[3] == "a3"
    assert store.saves == [("submitted", {1, 3, 5}), (SUCCEED, {7})]


async def test_a_step_is_written_before_the_next_one_starts():
    _, participants = await run_new(saga(3))
    assert participants.saved_before["a1"][action_of(0)] == SUCCEED
    assert participants.saved_before["a2"][action_of(1)] == SUCCEED


async def test_a_refusal_and_the_status_are_one_write():
    store, participants = await run_new(saga(3), a1=[FAILURE])
    assert participants.calls == ["a0", "a1", "c1", "c0"]
    assert store.saves[1] == ("aborting", {action_of(1)})
    assert store.stored.trans.status == FAILED
    assert store.stored.trans.rollback_reason == "url:a1 return failed: failure FAILURE"


async def test_a_reason_fits_its_column():
    stored = saga(1)
    store, _ = await run_new(stored, a0=[FAILURE._replace(text="x" * 5000)])
    assert len(store.stored.trans.rollback_reason) == 1024


async def test_errors_double_the_interval_up_to_a_limit():
    stored = saga(1, retry_interval=10)
    store = MemoryStore(stored)
    participants = Participants(store, {"a0": [ERROR]})
    intervals = []
    for _ in range(3):
        await run(store, participants)
        intervals.append(store.stored.trans.next_cron_interval)
    assert intervals == [20, 30, 30]


async def test_ongoing_keeps_the_interval():
    store, _ = await run_new(saga(1, retry_interval=5), a0=[ONGOING])
    assert store.stored.trans.next_cron_interval == 5
    assert store.stored.trans.status == "submitted"


async def test_compensation_waits_for_an_action_in_flight():
    stored = saga(2, '{"concurrent":true}')
    store = MemoryStore(stored)
    participants = Participants(store, {"a1": [FAILURE]})
    slow = participants.call

    async def call(origin, url, *rest):
        if url == "a0":
            await asyncio.sleep(0.2)
        return await slow(origin, url, *rest)

    participants.call = call
    await run(store, participants)
    assert participants.calls.index("a0") < participants.calls.index("c0")
    assert store.stored.trans.status == FAILED
    assert participants.done == set()


async def test_a_status_changed_elsewhere_ends_the_pass():
    store = MemoryStore(saga(2))
    participants = Participants(store)
    slow = participants.call

    async def call(origin, url, *rest):
        store.stored.trans.status = FAILED
        return await slow(origin, url, *rest)

    participants.call = call
    with pytest.raises(StatusConflict):
        await run(store, participants)
    assert participants.calls == ["a0"]


async def test_a_timed_out_saga_compensates_what_may_have_run():
    store, participants = await run_new(saga(3, age=10, timeout_to_fail=5))
    assert participants.calls == ["c0"]
    assert store.stored.trans.rollback_reason == "Timeout after 5 seconds"


async def test_a_prepared_message_is_asked_about_at_its_time_only():
    store, participants = await run_new(message(1, PREPARED, age=5))
    assert participants.calls == []
    left = (store.stored.trans.next_cron_time - store.stored.trans.create_time).total_seconds()
    assert left == 35
    store, participants = await run_new(message(1, PREPARED, age=36))
    assert participants.calls == ["q", "a0"]
    assert store.stored.trans.status == SUCCEED


async def test_a_delayed_message_is_due_at_its_delay():
    store, participants = await run_new(message(1, custom_data='{"delay":60}', age=10))
    assert participants.calls == []
    assert (store.stored.trans.next_cron_time - store.stored.trans.create_time).total_seconds() == 60


answers = st.lists(st.sampled_from([SUCCESS, FAILURE, ONGOING, ERROR]), min_size=1, max_size=3)


@st.composite
def sagas(draw):
    """A saga with random orders and answers; compensations and the last word of an action are decided in the end."""
    steps = draw(st.integers(1, 4))
    orders = {str(step): draw(st.lists(st.integers(0, step - 1), max_size=2, unique=True)) for step in range(1, steps)}
    custom_data = json.dumps({"concurrent": draw(st.booleans()), "orders": orders})
    script = {}
    for step in range(steps):
        script[f"a{step}"] = [*draw(answers), draw(st.sampled_from([SUCCESS, SUCCESS, FAILURE]))]
        script[f"c{step}"] = [*draw(answers), SUCCESS]
    return steps, custom_data, script, draw(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=3))


@given(sagas())
def test_a_saga_is_all_or_nothing_whatever_happens(drawn):
    asyncio.run(check_saga(*drawn))


async def check_saga(steps, custom_data, script, crashes):
    store = MemoryStore(saga(steps, custom_data))
    participants = Participants(store, script)
    before = read_plan("saga", custom_data, steps).before
    for _ in range(100):
        if store.stored.trans.finished:
            break
        crash = crashes.pop(0) if crashes else None
        store.crash_at = (len(store.saves) + crash[0], crash[1]) if crash else None
        try:
            await run(store, participants)
        except Crash:
            continue
    everything = {f"{step + 1:02d}" for step in range(steps)}
    assert store.stored.trans.finished
    assert participants.done == (everything if store.stored.trans.status == SUCCEED else set())
    for step in range(steps):
        if f"a{step}" in participants.saved_before:
            statuses = participants.saved_before[f"a{step}"]
            assert all(statuses[action_of(earlier)] == SUCCEED for earlier in before[step])
    if store.stored.trans.status == SUCCEED:
        assert all(store.stored.branches[compensation_of(step)].status == PREPARED for step in range(steps))
