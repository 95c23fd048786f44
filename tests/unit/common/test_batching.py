"""Batcher: what waits while a batch is in flight forms the next one, and nothing is forgotten."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.common.batching import Batcher, BatcherGroup
from services.common.errors import Conflict, SoldOut, Unavailable


class Doubling:
    """A batch function that doubles numbers, remembers its batches, and can be held."""

    def __init__(self):
        self.batches = []
        self.in_flight = self.most_in_flight = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, items):
        self.batches.append(list(items))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self.open.wait()
        self.in_flight -= 1
        return [SoldOut("13") if item == 13 else item * 2 for item in items]


@pytest.fixture
def doubling():
    return Doubling()


def batcher(run, max_items=10, in_flight=1, **options):
    return Batcher("test", run, max_items=max_items, in_flight=in_flight, **options)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_single_item_runs_at_once(doubling):
    assert await asyncio.wait_for(batcher(doubling).add(4), 1) == 8
    assert doubling.batches == [[4]]


async def test_items_one_after_the_other(doubling):
    """An item that comes at the very moment at which the last batch ends waits for nobody."""
    one = batcher(doubling)
    async with asyncio.timeout(5):
        assert [await one.add(item) for item in range(20, 70)] == [item * 2 for item in range(20, 70)]


async def test_items_that_come_at_any_moment_of_a_batch():
    """Whatever turn of the loop an item comes in, it is run."""

    async def run(items):
        await asyncio.sleep(0)
        return items

    async def late(one, wait):
        await turns(wait)
        return await one.add(wait)

    for in_flight in (1, 2):
        one = batcher(run, in_flight=in_flight)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(late(one, wait) for wait in range(30))) == list(range(30))
        assert one.idle


async def test_items_that_come_together_travel_together(doubling):
    one = batcher(doubling)
    assert await asyncio.gather(*(one.add(item) for item in range(5))) == [0, 2, 4, 6, 8]
    assert doubling.batches == [[0, 1, 2, 3, 4]]


async def test_what_waits_meanwhile_forms_the_next_batch(doubling):
    one = batcher(doubling, max_items=3)
    doubling.open.clear()
    adds = [asyncio.create_task(one.add(0))]
    await turns()
    adds += [asyncio.create_task(one.add(item)) for item in range(1, 6)]
    await turns()
    assert doubling.batches == [[0]]
    doubling.open.set()
    assert await asyncio.gather(*adds) == [0, 2, 4, 6, 8, 10]
    assert doubling.batches == [[0], [1, 2, 3], [4, 5]]


async def test_after_a_crowd_the_next_batch_gathers_for_a_while(doubling):
    one, began = batcher(doubling, in_flight=2, pace=0.2), time.monotonic()
    await asyncio.gather(one.add(2), one.add(3))
    assert time.monotonic() - began < 0.1
    late = [asyncio.create_task(one.add(item)) for item in (4, 5)]
    await asyncio.sleep(0.05)
    assert await one.add(6) == 12
    assert time.monotonic() - began >= 0.2
    assert [await task for task in late] == [8, 10]
    assert doubling.batches == [[2, 3], [4, 5, 6]]


async def test_the_pace_holds_up_nobody_who_comes_alone(doubling):
    one = batcher(doubling, pace=60)
    async with asyncio.timeout(5):
        assert [await one.add(item) for item in range(20, 70)] == [item * 2 for item in range(20, 70)]


async def test_no_more_batches_in_flight_than_allowed(doubling):
    one = batcher(doubling, max_items=1, in_flight=3)
    doubling.open.clear()
    adds = [asyncio.create_task(one.add(item)) for item in range(8)]
    await turns(20)
    assert doubling.in_flight == 3
    doubling.open.set()
    await asyncio.gather(*adds)
    assert doubling.most_in_flight == 3
    assert len(doubling.batches) == 8


async def test_an_item_that_fails_alone(doubling):
    one = batcher(doubling)
    results = await asyncio.gather(one.add(12), one.add(13), one.add(14), return_exceptions=True)
    assert (results[0], results[2]) == (24, 28)
    assert isinstance(results[1], SoldOut)


async def test_add_many_keeps_the_order_and_the_errors(doubling):
    first, second, third = await batcher(doubling, max_items=2).add_many([12, 13, 14])
    assert (first, third) == (24, 28)
    assert isinstance(second, SoldOut)
    assert doubling.batches == [[12, 13], [14]]


async def test_a_batch_that_raises_fails_its_own_items():
    async def run(items):
        if 1 in items:
            raise Conflict("not these")
        return items

    one = batcher(run, max_items=2)
    results = await asyncio.gather(*(one.add(item) for item in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [Conflict, Conflict, int, int]
    assert await asyncio.wait_for(one.add(5), 1) == 5


async def test_a_batch_that_loses_results_is_an_error():
    async def run(items):
        return items[1:]

    with pytest.raises(RuntimeError, match="1 items gave 0 results"):
        await batcher(run).add(1)


async def test_an_unexpected_error_is_raised_by_add_many():
    async def run(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await batcher(run).add_many([1, 2])


async def test_a_full_queue_refuses(doubling):
    one = batcher(doubling, max_items=1, max_waiting=2)
    doubling.open.clear()
    adds = [asyncio.create_task(one.add(item)) for item in (0, 1)]
    await turns()  # the first is in flight, the second waits
    adds.append(asyncio.create_task(one.add(2)))
    await turns()
    with pytest.raises(Unavailable):
        await one.add(3)
    many = asyncio.create_task(one.add_many([4]))
    await turns()
    doubling.open.set()
    assert await asyncio.gather(*adds) == [0, 2, 4]
    [refused] = await many
    assert isinstance(refused, Unavailable)
    assert [3] not in doubling.batches


async def test_a_caller_that_leaves_disturbs_nobody(doubling):
    one = batcher(doubling)
    doubling.open.clear()
    leaving, staying = (asyncio.create_task(one.add(item)) for item in (1, 2))
    await turns()
    leaving.cancel()
    await turns()
    doubling.open.set()
    assert await staying == 4
    assert leaving.cancelled()
    assert doubling.batches == [[1, 2]]


async def test_drain_waits_for_what_runs_and_what_waits(doubling):
    one = batcher(doubling, max_items=1)
    doubling.open.clear()
    adds = [asyncio.create_task(one.add(item)) for item in range(3)]
    await turns()
    draining = asyncio.create_task(one.drain())
    await turns()
    assert not draining.done()
    doubling.open.set()
    await asyncio.wait_for(draining, 1)
    assert one.idle
    assert await asyncio.gather(*adds) == [0, 2, 4]


async def test_a_group_has_a_batcher_for_each_key(doubling):
    group = BatcherGroup("test", doubling, max_items=10, in_flight=1)
    results = await asyncio.gather(group.add("a", 1), group.add("b", 2), group.add("a", 3), group.add_many("b", [4]))
    assert results == [2, 4, 6, [8]]
    assert sorted(doubling.batches) == [[1, 3], [2, 4]]


async def test_a_group_forgets_idle_keys(doubling):
    group = BatcherGroup("test", doubling, max_items=10, in_flight=1)
    for key in range(20, 120):
        await group.add(key, key)
    await turns()
    assert len(group._batchers) == 0
