"""`python -m dev.bench [run] [WORKLOAD …]` and `python -m dev.bench compare A B`.

A run restarts coordinators and services first, so that they have the settings of this environment (ESHOP_HTTP_SERVER
for the gateway, ESHOP_DTM_BIN for a real DTM) and begin with fresh memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from dev.bench import report
from dev.bench.workloads import SCENARIOS, STANDARD, Settings, Shop, Workload, warm_up
from dev.errors import StackError
from dev.invariants import check
from dev.invariants.result import table
from dev.invariants.stores import of_stack
from dev.layout import COORDINATORS, ROOT, SERVICES
from dev.processes import raise_open_files
from dev.stack import Stack

WORKLOADS: dict[str, Workload] = {**STANDARD, **SCENARIOS}
HTTP_SERVER = "ESHOP_HTTP_SERVER"


def run(arguments: argparse.Namespace) -> bool:
    """Runs the workloads, prints, keeps; whether nothing failed and every promise holds."""
    console = _console()
    stack = Stack(report=lambda step: console.print(f"  {step}"))
    settings = Settings(arguments.seconds, arguments.orders, arguments.minutes, arguments.rate)
    raise_open_files()
    stack.up() if arguments.as_is else _start_anew(stack)
    shop = Shop(stack)
    warm_up(shop)
    path = stack.layout.folder / "bench" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    kept: dict[str, Any] = {"setting": _setting(settings), "rows": []}
    for name in arguments.workloads or STANDARD:
        console.print(f"{name} …")
        kept["rows"].append(report.as_json(WORKLOADS[name](shop, settings)))
        path.write_text(json.dumps(kept, indent=1))
    report.show(console, kept["rows"])
    results = check(of_stack(stack), timeout=300, report=console.print)
    console.print(table(results), f"figures kept in {path}", sep="\n")
    return all(result.holds for result in results) and not any(_failures(row) for row in kept["rows"])


def compare(arguments: argparse.Namespace) -> bool:
    report.compare(_console(), arguments.a, arguments.b)
    return True


def _console() -> Console:
    """A file or pipe gets lines as long as the tables are."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def _failures(row: dict[str, Any]) -> bool:
    return bool(row["unfinished"] or (row["figures"] and row["figures"]["failed"]))


def _start_anew(stack: Stack) -> None:
    """The gateway alone gets the HTTP server of this environment."""
    stack.stop(*SERVICES)
    stack.stop(*COORDINATORS)
    stack.up(stores_only=True)
    with _without(HTTP_SERVER):
        stack.start(*COORDINATORS, *(name for name in SERVICES if name != "gateway"))
    stack.start("gateway")
    stack.wait_ready()


@contextmanager
def _without(name: str) -> Any:
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


def _setting(settings: Settings) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "commit": commit.stdout.strip(),
        "gateway": os.environ.get(HTTP_SERVER, "uvicorn"),
        "coordinators": "DTM" if os.environ.get("ESHOP_DTM_BIN") else "embedded",
        "cores": len(os.sched_getaffinity(0)),
        "seconds": settings.seconds,
    }


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="run|compare")
    command = commands.add_parser("run", help=f"of {', '.join(WORKLOADS)}; without names: {', '.join(STANDARD)}")
    command.add_argument("workloads", nargs="*", choices=[[], *WORKLOADS], metavar="workload")
    command.add_argument("--seconds", type=int, default=20, help="of each load")
    command.add_argument("--orders", type=int, default=100_000, help="of the backlog")
    command.add_argument("--minutes", type=float, default=10, help="of the mixed load")
    command.add_argument("--rate", type=int, default=50, help="rounds a second of the mixed load")
    command.add_argument("--as-is", action="store_true", help="restart nothing")
    command.set_defaults(run=run)
    command = commands.add_parser("compare", help="two kept runs as ratios")
    command.add_argument("a", type=Path)
    command.add_argument("b", type=Path)
    command.set_defaults(run=compare)
    return parser.parse_args(given or ["run"])


def main() -> None:
    arguments = _arguments(sys.argv[1:])
    try:
        good = arguments.run(arguments)
    except (StackError, OSError) as error:
        sys.exit(f"the bench stopped: {error}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
