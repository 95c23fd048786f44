"""Cases register themselves here with their numbers in the protocol specification; test_cases.py runs them all.

A case is a coroutine function of (dtm, sender, participants). Those of one coordinator run at the same time, because
most of their time is spent waiting for retries; so a case looks at its own gids only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

Run = Callable[..., Awaitable[None]]


class Case(NamedTuple):
    name: str
    transport: str
    run: Run


CASES: list[Case] = []
CRASH_CASES: list[Case] = []


def case(number: int, *transports: str) -> Callable[[Run], Run]:
    """Registers a case for the transports of the client, by default both."""

    def register(run: Run) -> Run:
        for transport in transports or ("http", "grpc"):
            CASES.append(Case(f"{number:02d}-{run.__name__}-{transport}", transport, run))
        return run

    return register


def crash_case(number: int) -> Callable[[Run], Run]:
    """Registers a case that starts and kills coordinators of its own: (target, spaces, coordinators, participants)."""

    def register(run: Run) -> Run:
        CRASH_CASES.append(Case(f"{number:02d}-{run.__name__}", "", run))
        return run

    return register
