"""What metrics and traces cost: CPU time of the services per order, with and without them, in turns of two seconds.

    python -m dev.telemetry_cost [--turns 30]

The services run once, with a switch in shared memory. Off: counters, gauges and histograms do nothing, and no request
begins a trace. On: metrics, and 1 % of the requests traced. The CPU time of an order depends on what else the machine
does; neighbouring turns see the same of it, so what counts is the ratio of each pair, and of those the median.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from dev.layout import SERVICES
from dev.stack import Stack

BUYERS, TURN_SECONDS = 100, 2.0
_TICKS = os.sysconf("SC_CLK_TCK")
# A module that Python imports at its start.
_SWITCH = """
import mmap, os, random
from prometheus_client import Counter, Gauge, Histogram
on = mmap.mmap(os.open({path!r}, os.O_RDWR), 1)
def switched(method, otherwise=None):
    return lambda *arguments, **options: method(*arguments, **options) if on[0] else otherwise
for kind, names in {{Counter: ["inc"], Gauge: ["inc", "dec", "set"], Histogram: ["observe"]}}.items():
    for name in names:
        setattr(kind, name, switched(getattr(kind, name)))
random.random = switched(random.random, 1.0)
"""


class Load:
    """Buyers who order one thing after the other until stopped."""

    def __init__(self, url: str) -> None:
        self.placed = 0
        self._url = url

    async def run(self) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=BUYERS)) as session:
            await self._post(session, "stock", {"productID": 1, "stock": 100_000_000})
            await asyncio.gather(*(self._buy(session) for _ in range(BUYERS)))

    async def _buy(self, session: aiohttp.ClientSession) -> None:
        while True:
            order = {"userID": 1, "productID": 1, "productCount": 1, "amount": 100, "couponID": 0}
            await self._post(session, "order/submit", order)
            self.placed += 1

    async def _post(self, session: aiohttp.ClientSession, path: str, body: dict[str, int]) -> None:
        async with session.post(f"{self._url}/api/v1/{path}", json=body) as response:
            if response.status != 200:
                raise RuntimeError(await response.text())


def cpu_seconds(stack: Stack) -> float:
    """CPU time of all services until now."""
    total = 0
    for name in SERVICES:
        fields = Path(f"/proc/{stack.processes.pid(name)}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


async def measure(stack: Stack, switch: mmap.mmap, turns: int) -> list[tuple[float, float]]:
    """Microseconds of CPU for an order, off and on, of each pair of turns."""
    load = Load(stack.url("gateway"))
    buying = asyncio.create_task(load.run())
    await asyncio.sleep(5)
    pairs = []
    for turn in range(turns):
        found = [0.0, 0.0]
        for on in (0, 1) if turn % 2 else (1, 0):
            switch[0] = on
            await asyncio.sleep(0.3)  # what is in flight belongs to both
            cpu, placed = cpu_seconds(stack), load.placed
            await asyncio.sleep(TURN_SECONDS)
            if buying.done():
                await buying
            found[on] = (cpu_seconds(stack) - cpu) / (load.placed - placed) * 1e6
        pairs.append((found[0], found[1]))
    buying.cancel()
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    arguments = parser.parse_args()
    stack = Stack()
    stack.up()
    kept = dict(os.environ)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "switch"
        path.write_bytes(b"\0")
        (Path(folder) / "sitecustomize.py").write_text(_SWITCH.format(path=str(path)))
        os.environ |= {"PYTHONPATH": folder, "ESHOP_TRACE_FILE": f"{folder}/spans.jsonl", "ESHOP_TRACE_RATIO": "0.01"}
        stack.restart(*SERVICES)
        stack.wait_ready(*SERVICES)
        with path.open("r+b") as file:
            pairs = asyncio.run(measure(stack, mmap.mmap(file.fileno(), 1), arguments.turns))
        spans = Path(folder, "spans.jsonl").read_bytes().count(b"\n")
    os.environ.clear()
    os.environ |= kept
    stack.restart(*SERVICES)
    off, on = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratios = sorted(on / off - 1 for off, on in pairs)
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    print(f"{len(pairs)} pairs of turns, {spans} spans: off {off:.0f} µs an order, on {on:.0f} µs")
    print(f"with metrics and 1 % traced {statistics.median(ratios):+.1%} (half of the pairs {low:+.1%} to {high:+.1%})")


if __name__ == "__main__":
    main()
