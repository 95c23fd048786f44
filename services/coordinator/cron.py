"""Cron: takes what is due from the store and runs passes over it, many at a time, so that none delays another."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import structlog

from services.common.errors import ShopError
from services.coordinator.passes import Outcome, Passes
from services.coordinator.settings import Settings
from services.coordinator.store import Store
from services.coordinator.transaction import after, now_utc

log = structlog.get_logger()

_MOST_AT_ONCE = 512
_MOST_AT_A_TIME = 64  # leased by one query: payloads come with them


class Cron:
    """Several instances may share a store: a lease belongs to one of them."""

    def __init__(self, store: Store, passes: Passes, settings: Settings) -> None:
        self._store = store
        self._passes = passes
        self._interval = settings.trans_cron_interval
        self._lease = settings.retry_interval
        self._running: set[asyncio.Task[Outcome]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            room = min(_MOST_AT_ONCE - len(self._running), _MOST_AT_A_TIME)
            if room == 0:
                await asyncio.wait(self._running, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            elif await self._take(room) < room:
                pause = self._interval - random.random()  # noqa: S311 - spreads the instances, no secret
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), pause)

    async def _take(self, room: int) -> int:
        """Leases and starts what is due; how many."""
        now = now_utc()
        try:
            leased = await self._store.lease(now, after(now, self._lease), room)
        except ShopError as error:
            log.warning("the store cannot be asked for what is due", error=error.message)
            return 0
        except Exception:
            log.exception("the store cannot be asked for what is due")
            return 0
        for stored in leased:
            task = self._passes.start(stored)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(leased)
