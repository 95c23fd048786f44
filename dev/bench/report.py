"""What the bench prints and keeps: tables of one run, JSON beside it, and two runs side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from dev.bench.measure import Measurement
from dev.bench.usage import groups
from dev.stack import PROCESSES

_NAMES = (*PROCESSES, "k6")
Row = Mapping[str, Any]

# Column: how a run's JSON gives it. Times in ms, CPU in µs by request, memory in MB.
_COLUMNS: dict[str, Callable[[Row], float | None]] = {
    "accepted/s": lambda row: row["accepted_per_second"],
    "answered/s": lambda row: row["answered_per_second"],
    "completed/s": lambda row: row["completed_per_second"],
    "p50 ms": lambda row: row["figures"] and row["figures"]["p50"],
    "p95 ms": lambda row: row["figures"] and row["figures"]["p95"],
    "p99 ms": lambda row: row["figures"] and row["figures"]["p99"],
    "refused": lambda row: row["figures"] and row["figures"]["refused"],
    "errors": lambda row: row["figures"] and row["figures"]["failed"],
    "CPU µs: shop": lambda row: row["groups"]["shop"],
    "stores": lambda row: row["groups"]["stores"],
    "k6": lambda row: row["groups"]["k6"],
    "others' CPU %": lambda row: 100 * row["other_cpu"] / row["seconds"],
    "memory MB": lambda row: sum(row["memory"].get(name, 0) for name in PROCESSES),
}


def as_json(found: Measurement) -> dict[str, Any]:
    """A measurement with its rates."""
    figures, requests = found.figures, max(1, found.requests)
    return {
        **asdict(found),
        "microseconds": found.microseconds,
        "groups": {name: value * 1e6 / requests for name, value in groups(found.cpu).items()},
        "accepted_per_second": figures.accepted / figures.seconds if figures else None,
        "answered_per_second": figures.requests / figures.seconds if figures else None,
        "completed_per_second": found.completed / found.seconds,
    }


def show(console: Console, rows: Sequence[Row]) -> None:
    """Three tables: speed and cost, CPU by process, batches and store work."""
    speed = _table("Speed and cost", ["workload", *_COLUMNS])
    for row in rows:
        speed.add_row(row["workload"], *(_number(value(row)) for value in _COLUMNS.values()))
    cpu = _table("CPU µs by request and process (idle: % of one core)", ["workload", *_NAMES])
    memory = _table("Peak memory, MB", ["workload", *_NAMES])
    for row in rows:
        cost = row["microseconds"] if row["figures"] or row["completed"] else _percent(row)
        cpu.add_row(row["workload"], *(_number(cost.get(name)) for name in _NAMES))
        memory.add_row(row["workload"], *(_number(row["memory"].get(name)) for name in _NAMES))
    batches = sorted({name for row in rows for name in row["batches"]})
    work = sorted({name for row in rows for name in row["store_work"]})
    inside = _table(
        "Mean batch; store work by request; event-loop lag p99, ms", ["workload", *batches, *work, "worst lag"]
    )
    for row in rows:
        requests = max(1, row["figures"]["requests"] if row["figures"] else row["completed"])
        inside.add_row(
            row["workload"],
            *(_number(row["batches"].get(name)) for name in batches),
            *(f"{row['store_work'].get(name, 0) / requests:.3f}" for name in work),
            _number(max(row["loop_lag"].values(), default=None)),
        )
    console.print(speed, cpu, memory, inside, sep="\n")
    for row in rows:
        if len(row["course"]) > 2:
            console.print(_course(row))


def compare(console: Console, one: Path, other: Path) -> None:
    """Ratios of the second run to the first, workload by workload."""
    first, second = (json.loads(path.read_text()) for path in (one, other))
    console.print(f"A {one}: {_words(first['setting'])}\nB {other}: {_words(second['setting'])}")
    rows = {row["workload"]: row for row in first["rows"]}
    table = _table("B / A", ["workload", *_COLUMNS])
    cpu = _table("CPU µs by request, B / A", ["workload", *_NAMES])
    for row in second["rows"]:
        before = rows.get(row["workload"])
        if before:
            table.add_row(row["workload"], *(_ratio(value(before), value(row)) for value in _COLUMNS.values()))
            ratios = (_ratio(before["microseconds"].get(name), row["microseconds"].get(name)) for name in _NAMES)
            cpu.add_row(row["workload"], *ratios)
    console.print(table, cpu, sep="\n")


def _course(row: Row) -> Table:
    table = _table(f"{row['workload']}: its course", ["", *(f"{point['second']} s" for point in row["course"])])
    table.add_row("p99 ms", *(_number(point["p99"]) for point in row["course"]))
    table.add_row("services MB", *(_number(point["memory"]) for point in row["course"]))
    return table


def _percent(row: Row) -> dict[str, float]:
    return {name: 100 * value / row["seconds"] for name, value in row["cpu"].items()}


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"


def _ratio(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    if not before:
        return "=" if not after else f"0 → {_number(after)}"
    return f"{after / before:.2f}"


def _words(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in setting.items())
