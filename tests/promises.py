"""What every load and fault test ends with: the shop's promises, held against its stores and the answers it gave."""

from __future__ import annotations

import asyncio

from dev.invariants import Answers, check
from dev.invariants.result import table
from dev.invariants.stores import of_stack
from dev.stack import Stack


async def assert_promises(stack: Stack, answers: Answers | None = None, timeout: float = 120) -> None:
    """Waits at most `timeout` seconds for what is under way; shows all broken promises."""
    results = await asyncio.to_thread(check, of_stack(stack), answers or Answers(), timeout)
    broken = [result for result in results if not result.holds]
    assert not broken, "\n" + table(broken)
