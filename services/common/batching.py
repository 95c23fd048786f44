"""Batcher: group commit. Whatever waits while earlier batches are in flight forms the next one.

No size to wait for: an idle shop answers a single request at once, a busy one in large batches. Where a batch is over
so soon that few join the next, a pace lets a crowd grow; it never holds up those who come one by one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from opentelemetry.trace import Span

from services.common.errors import ShopError, Unavailable
from services.common.telemetry import metrics, traces

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")

# Results in the order of the items; a ShopError is the result of an item that failed alone.
RunBatch = Callable[[list[Item]], Awaitable[Sequence[Result | ShopError]]]

# A batch of so many or more is a crowd's; whoever comes alone, again and again, makes batches of one.
_CROWD = 2


class Batcher(Generic[Item, Result]):
    """Runs items in batches of at most `max_items`, at most `in_flight` batches at a time.

    After a crowd's batch the next one starts `pace` seconds later or more. With `max_waiting` items in the queue a
    further one is refused (Unavailable). A batch that raises fails all its items with that error.
    """

    def __init__(
        self,
        name: str,
        run: RunBatch[Item, Result],
        *,
        max_items: int,
        in_flight: int,
        pace: float = 0,
        max_waiting: int = 20_000,
    ) -> None:
        self._span_name = f"batch {name}"
        self._run = run
        self._max_items = max_items
        self._in_flight = in_flight
        self._pace = pace
        self._max_waiting = max_waiting
        self._next_start = 0.0
        self._waiting: deque[tuple[Item, asyncio.Future[Result], float, Span | None]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._size = metrics.BATCH_SIZE.labels(name)
        self._wait = metrics.BATCH_WAIT.labels(name)
        self._duration = metrics.BATCH_DURATION.labels(name)

    @property
    def idle(self) -> bool:
        return not self._running and not self._waiting

    async def add(self, item: Item) -> Result:
        """The item's own result, or its error raised. The item is run even if the caller no longer waits."""
        return await self._enqueue(item)

    async def add_many(self, items: Iterable[Item]) -> list[Result | ShopError]:
        """The results of all items, in their order, errors among them."""
        futures = [self._try_enqueue(item) for item in items]
        results = await asyncio.gather(*futures, return_exceptions=True)
        return [_result(result) for result in results]

    async def drain(self) -> None:
        """Waits until nothing waits and nothing runs."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _try_enqueue(self, item: Item) -> asyncio.Future[Result]:
        try:
            return self._enqueue(item)
        except ShopError as error:
            refused: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def _enqueue(self, item: Item) -> asyncio.Future[Result]:
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable("too many requests are waiting; try again")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future, time.monotonic(), traces.current()))
        if len(self._running) < self._in_flight:
            # The context of the caller who happens to start the work is not the batch's.
            task = asyncio.create_task(self._work(), context=Context())
            self._running.add(task)
        return future

    async def _work(self) -> None:
        # One turn of the loop first, so that requests that arrived together travel together.
        await asyncio.sleep(0)
        try:
            while self._waiting:
                pause = self._next_start - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                else:
                    await self._run_next()
        finally:
            # Here, not in a callback later: an item that is added in between would wait for nobody.
            self._running.discard(asyncio.current_task())

    async def _run_next(self) -> None:
        items, futures, origins = self._take()
        start = time.perf_counter()
        try:
            with traces.batch(self._span_name, origins):
                try:
                    results: Sequence[Result | ShopError] = await self._run(items)
                finally:
                    self._duration.observe(time.perf_counter() - start, traces.exemplar())
            if len(results) != len(items):
                raise RuntimeError(f"{len(items)} items gave {len(results)} results")
        except Exception as error:
            for future in futures:
                _settle(future, error)
        else:
            for future, result in zip(futures, results, strict=True):
                _settle(future, result)

    def _take(self) -> tuple[list[Item], list[asyncio.Future[Result]], list[Span | None]]:
        items: list[Item] = []
        futures: list[asyncio.Future[Result]] = []
        origins: list[Span | None] = []
        now = time.monotonic()
        while self._waiting and len(items) < self._max_items:
            item, future, since, origin = self._waiting.popleft()
            items.append(item)
            futures.append(future)
            origins.append(origin)
            self._wait.observe(now - since, traces.exemplar_of(origin))
        if len(items) >= _CROWD:
            self._next_start = now + self._pace
        self._size.observe(len(items))
        return items, futures, origins


class BatcherGroup(Generic[Key, Item, Result]):
    """A Batcher for each key, made when it is needed and dropped when it is idle; the options are a Batcher's."""

    def __init__(
        self, name: str, run: RunBatch[Item, Result], *, max_items: int, in_flight: int, pace: float = 0
    ) -> None:
        def make() -> Batcher[Item, Result]:
            return Batcher(name, run, max_items=max_items, in_flight=in_flight, pace=pace)

        self._make = make
        self._batchers: dict[Key, Batcher[Item, Result]] = {}

    async def add(self, key: Key, item: Item) -> Result:
        """Batcher.add of this key's batcher."""
        try:
            return await self._batcher(key).add(item)
        finally:
            self._drop(key)

    async def add_many(self, key: Key, items: Iterable[Item]) -> list[Result | ShopError]:
        """Batcher.add_many of this key's batcher."""
        try:
            return await self._batcher(key).add_many(items)
        finally:
            self._drop(key)

    def _batcher(self, key: Key) -> Batcher[Item, Result]:
        batcher = self._batchers.get(key)
        if batcher is None:
            batcher = self._batchers[key] = self._make()
        return batcher

    def _drop(self, key: Key) -> None:
        batcher = self._batchers.get(key)
        if batcher and batcher.idle:
            del self._batchers[key]


def _settle(future: asyncio.Future[Result], result: Result | Exception) -> None:
    if future.done():  # the caller went away
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _result(result: Result | BaseException) -> Result | ShopError:
    if isinstance(result, BaseException) and not isinstance(result, ShopError):
        raise result
    return result
