"""Course: how a long load went over time, so that what creeps is seen: latency and memory, each half minute."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from dev.bench import metrics, usage
from dev.stack import Stack

SECONDS = 30.0


@dataclass(frozen=True)
class Point:
    """`p99` in milliseconds at the gateway since the point before, `memory` in MB of all services and coordinators."""

    second: int
    p99: float
    memory: float


class Course:
    """Takes a point each half minute while it is entered."""

    def __init__(self, stack: Stack) -> None:
        self.points: list[Point] = []
        self._stack = stack
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Course:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began, before = time.monotonic(), metrics.look(self._stack, ["gateway"])
        while not self._over.wait(SECONDS):
            after = metrics.look(self._stack, ["gateway"])
            p99 = metrics.request_p99(metrics.since(before, after))
            memory = sum(usage.without_stores(usage.memory_mb(self._stack)).values())
            self.points.append(Point(round(time.monotonic() - began), p99, memory))
            before = after
