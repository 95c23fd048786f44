"""How late things may be: on a machine that is busy with other work, upper bounds give way; lower bounds never do."""

from __future__ import annotations

import os


def slack() -> float:
    """Seconds to add to an upper bound: none while every runnable process has a core of its own."""
    return max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1)


def assert_within(seconds: float, low: float, high: float) -> None:
    assert low <= seconds <= high + slack(), f"{seconds:.2f} s is not in {low} to {high} s (slack {slack():.1f})"
