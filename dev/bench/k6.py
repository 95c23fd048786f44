"""Runs a script of k6/ against the local stack and reads its figures.

Also `python -m dev.bench.k6 smoke`, which is `make load`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import tools
from dev.errors import StackError
from dev.layout import ROOT
from dev.processes import raise_open_files
from dev.stack import Stack

NAME = "k6"


@dataclass(frozen=True)
class Figures:
    """Of one load. Times in milliseconds; `refused` are 409s, `failed` everything but 200 and 409."""

    seconds: float
    requests: int
    accepted: int
    refused: int
    failed: int
    p50: float
    p95: float
    p99: float
    longest: float
    cpu_seconds: float
    peak_mb: float
    thresholds_held: bool
    dropped: int = 0


def run(
    gateway: str, script: str, settings: Mapping[str, object], options: tuple[str, ...] = (), quiet: bool = True
) -> Figures:
    """`settings` are the script's variables, `options` further ones of `k6 run`. StackError: k6 could not run."""
    raise_open_files()
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        command = [
            str(tools.find(NAME, lambda step: print(step, file=sys.stderr))),
            *("run", "--no-usage-report", f"--summary-export={summary}", *options, f"k6/{script}.js"),
        ]
        environment = {**os.environ, "GATEWAY": gateway} | {name: str(value) for name, value in settings.items()}
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if not summary.exists():
            raise StackError(f"k6 run {script} failed: {said.strip()[-2000:]}")
        metrics = json.loads(summary.read_text())["metrics"]
    cpu = used.ru_utime + used.ru_stime
    return _figures(metrics, seconds, cpu, used.ru_maxrss / 1024, process.returncode == 0)


def _figures(metrics: Mapping[str, Any], seconds: float, cpu: float, peak_mb: float, held: bool) -> Figures:
    def count(name: str) -> int:
        return int(metrics[name]["count"]) if name in metrics else 0

    duration = metrics["http_req_duration"]
    requests = metrics["http_reqs"]
    return Figures(
        seconds=requests["count"] / requests["rate"] if requests["rate"] else seconds,
        requests=count("http_reqs"),
        accepted=count("accepted"),
        refused=count("sold_out") + count("refused"),
        failed=int(metrics["http_req_failed"]["passes"]),
        p50=duration["med"],
        p95=duration["p(95)"],
        p99=duration["p(99)"],
        longest=duration["max"],
        cpu_seconds=cpu,
        peak_mb=peak_mb,
        thresholds_held=held,
        dropped=count("dropped_iterations"),
    )


def main() -> None:
    """Runs the named script, its variables taken from the environment; its thresholds decide the exit code."""
    if len(sys.argv) < 2:
        sys.exit("python -m dev.bench.k6 SCRIPT [option of k6 run …]")
    try:
        figures = run(Stack().url("gateway"), sys.argv[1], {}, tuple(sys.argv[2:]), quiet=False)
    except StackError as error:
        sys.exit(str(error))
    sys.exit(not figures.thresholds_held)


if __name__ == "__main__":
    main()
