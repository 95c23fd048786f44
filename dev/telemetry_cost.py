"""What metrics and traces cost: CPU time of the services per order, with and without them, in turns on one stack.

    python -m dev.telemetry_cost [--rounds 3] [--seconds 15]

Without: every counter, gauge and histogram does nothing, and nothing is traced. With: metrics, and 1 % of the requests
traced. Rates are noise on a shared machine; the CPU time of a request is steadier, and turns even out what is not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from dev.layout import SERVICES
from dev.stack import Stack

BUYERS = 100
_TICKS = os.sysconf("SC_CLK_TCK")
# A module that Python imports at its start.
_NO_METRICS = """
from prometheus_client import Counter, Gauge, Histogram
for kind, names in {Counter: ["inc"], Gauge: ["inc", "dec", "set", "set_function"], Histogram: ["observe"]}.items():
    for name in names:
        setattr(kind, name, lambda *_, **__: None)
"""


async def load(url: str, product: int, seconds: float) -> int:
    """Orders placed by buyers who order one after the other."""
    body = {"userID": 1, "productID": product, "productCount": 1, "amount": 100, "couponID": 0}
    placed, loop = 0, asyncio.get_running_loop()
    deadline = loop.time() + seconds

    async def buy(session: aiohttp.ClientSession) -> None:
        nonlocal placed
        while loop.time() < deadline:
            async with session.post(f"{url}/api/v1/order/submit", json=body) as response:
                if response.status != 200:
                    raise RuntimeError(await response.text())
            placed += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=BUYERS)) as session:
        stock = {"productID": product, "stock": 10_000_000}
        async with session.post(f"{url}/api/v1/stock", json=stock) as response:
            response.raise_for_status()
        await asyncio.gather(*(buy(session) for _ in range(BUYERS)))
    return placed


def cpu_seconds(stack: Stack) -> float:
    """CPU time of all services until now."""
    total = 0
    for name in SERVICES:
        fields = Path(f"/proc/{stack.processes.pid(name)}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def measure(stack: Stack, environment: dict[str, str], seconds: float) -> float:
    """Microseconds of CPU for an order, with the services started in that environment."""
    kept = dict(os.environ)
    os.environ.update(environment)
    try:
        stack.restart(*SERVICES)
        stack.wait_ready(*SERVICES)
    finally:
        os.environ.clear()
        os.environ.update(kept)
    asyncio.run(load(stack.url("gateway"), 1, 3))
    before = cpu_seconds(stack)
    placed = asyncio.run(load(stack.url("gateway"), 1, seconds))
    return (cpu_seconds(stack) - before) / placed * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    arguments = parser.parse_args()
    stack = Stack()
    stack.up()
    ratios = []
    with TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(_NO_METRICS)
        variants = {
            "without": {"PYTHONPATH": folder, "ESHOP_TRACE_FILE": "", "ESHOP_OTLP_ENDPOINT": ""},
            "with": {"ESHOP_TRACE_FILE": f"{folder}/spans.jsonl", "ESHOP_TRACE_RATIO": "0.01"},
        }
        for turn in range(arguments.rounds):
            names = sorted(variants, reverse=bool(turn % 2))
            found = {name: measure(stack, variants[name], arguments.seconds) for name in names}
            ratios.append(found["with"] / found["without"])
            print(f"without {found['without']:.0f} µs an order, with {found['with']:.0f} µs: {ratios[-1] - 1:+.1%}")
    stack.restart(*SERVICES)
    print(f"median {statistics.median(ratios) - 1:+.1%}")


if __name__ == "__main__":
    main()
