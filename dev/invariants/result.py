"""Result: one promise, on how many things it was checked, and what breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5


@dataclass(frozen=True)
class Result:
    """`checked` counts products, sales or orders; `broken` names those for which the promise does not hold."""

    promise: str
    checked: int
    broken: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        return not self.broken


def table(results: Sequence[Result]) -> str:
    """Plain text for people: a line for each promise, and the first things that break it."""
    width = max(len(result.promise) for result in results)
    lines = [f"{'promise'.ljust(width)}  {'checked':>9}"]
    for result in results:
        lines.append(f"{result.promise.ljust(width)}  {result.checked:>9,}  {'ok' if result.holds else 'BROKEN'}")
        lines += [f"    {text}" for text in result.broken[:SHOWN]]
        if len(result.broken) > SHOWN:
            lines.append(f"    and {len(result.broken) - SHOWN:,} more")
    return "\n".join(lines)
