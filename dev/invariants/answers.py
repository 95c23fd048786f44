"""Answers: what buyers were told, so that it can be held against the rows.

A file has a line for each answer, `placed ORDER_ID`, `accepted ORDER_ID` or `refused ORDER_ID`; k6 scripts and fault
tests write it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Answers:
    """Order ids by answer. `placed`: 200 to a submit; the order is live. `accepted`: 200 to a buffered order or a flash
    sale; it has a row, live or cancelled with its reason. `refused`: 409; no live row (the id comes from the key).
    """

    placed: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


def read(lines: Iterable[str]) -> Answers:
    """The answers in the lines of a file. ValueError names the first line that is none."""
    answers = Answers()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in ("placed", "accepted", "refused"):
            raise ValueError(f"line {number} is not 'placed|accepted|refused ORDER_ID': {line.strip()[:80]}")
        getattr(answers, words[0]).add(words[1])
    return answers
