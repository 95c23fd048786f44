"""Measurement: one load with everything it cost, from its first request to the end of its backlog."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from dev.bench import metrics, usage
from dev.bench.course import Course, Point
from dev.bench.k6 import Figures
from dev.invariants.backlog import Backlog
from dev.invariants.mysql_checks import connect, scalar
from dev.invariants.stores import Stores, of_stack
from dev.stack import Stack

_ORDERS = "SELECT COUNT(*) FROM eshop_order.order_record"
BACKLOG_SECONDS = 900.0


@dataclass
class Measurement:
    """`cpu` in seconds by process, `memory` its peak in MB; `completed` orders have a final outcome after `seconds`."""

    workload: str
    figures: Figures | None
    seconds: float
    completed: int
    unfinished: list[str]
    cpu: dict[str, float]
    other_cpu: float  # of everything else on the machine
    memory: dict[str, float]
    batches: dict[str, float]
    store_work: dict[str, float]
    loop_lag: dict[str, float]
    orders: dict[str, float]  # by outcome
    course: list[Point] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """What the cost is divided by: requests, or orders where nobody sent any."""
        return self.figures.requests if self.figures else self.completed

    @property
    def microseconds(self) -> dict[str, float]:
        """CPU by request and process."""
        return {name: value * 1e6 / max(1, self.requests) for name, value in self.cpu.items()}


def measure(
    stack: Stack,
    workload: str,
    load: Callable[[], Figures | None],
    settle: Callable[[], None] = lambda: None,
    from_backlog: bool = False,
) -> Measurement:
    """Runs `load`, then `settle`, waits for the backlog, and counts from before the first to after the last.

    Begins with nothing under way, unless `from_backlog` says that what is under way is the load.
    """
    stores = of_stack(stack)
    with closing(Backlog(stores)) as backlog, usage.Memory(stack) as memory, Course(stack) as course:
        if not from_backlog:
            backlog.wait(time.monotonic() + BACKLOG_SECONDS, lambda step: None)  # what earlier loads left
        orders, work, look = _orders(stores), usage.store_work(stack), metrics.look(stack)
        cpu, machine, began = usage.cpu_seconds(stack), usage.machine_seconds(), time.monotonic()
        figures = load()
        settle()
        left = backlog.wait(time.monotonic() + BACKLOG_SECONDS, lambda step: None)
        seconds = time.monotonic() - began
        used = usage.difference(cpu, usage.cpu_seconds(stack))
        machine = usage.machine_seconds() - machine
        growth = metrics.since(look, metrics.look(stack))
        work = {name: int(value) for name, value in usage.difference(work, usage.store_work(stack)).items()}
        completed = _orders(stores) - orders
    peak = memory.peak
    if figures:
        used["k6"], peak["k6"] = figures.cpu_seconds, figures.peak_mb
    return Measurement(
        workload=workload,
        figures=figures,
        seconds=seconds,
        completed=completed,
        unfinished=list(left),
        cpu=used,
        other_cpu=max(0.0, machine - sum(used.values())),
        memory=peak,
        batches=metrics.batch_sizes(growth),
        store_work=dict(work),
        loop_lag=metrics.loop_lag_p99(growth),
        orders=metrics.orders(growth),
        course=course.points,
    )


def _orders(stores: Stores) -> int:
    with closing(connect(stores)) as connection:
        return scalar(connection, _ORDERS)
