"""How late timers fire: the first sign of something that blocks the event loop."""

from __future__ import annotations

import asyncio
import time

from services.common.telemetry import metrics

_SECONDS = 0.5


async def watch(stopping: asyncio.Event) -> None:
    """Observes the lag twice a second."""
    while not stopping.is_set():
        due = time.perf_counter() + _SECONDS
        await asyncio.sleep(_SECONDS)
        metrics.LOOP_LAG.observe(max(0.0, time.perf_counter() - due))
