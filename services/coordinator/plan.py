"""What `custom_data` asks for: the order of a saga's steps, the delay of a message. Bad ones are refused at submit."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import msgspec

from services.coordinator.transaction import LARGEST, SAGA


class _CustomData(msgspec.Struct):
    concurrent: bool = False
    orders: dict[str, list[int]] | None = None
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`before[i]`: the steps (from 0) that must succeed before step i starts; `behind[i]`: those that wait for it."""

    before: tuple[frozenset[int], ...]
    behind: tuple[frozenset[int], ...]
    delay: int


def read_plan(trans_type: str, custom_data: str, steps: int) -> Plan:
    """The plan of a transaction of so many steps; ValueError says what is wrong with it."""
    try:
        data = msgspec.json.decode(custom_data, type=_CustomData) if custom_data else _CustomData()
    except msgspec.MsgspecError as error:
        raise ValueError(f"custom_data: {error}") from None
    if not 0 <= data.delay <= LARGEST:
        raise ValueError(f"custom_data: delay {data.delay} is negative or too long")
    if trans_type != SAGA:
        return Plan((), (), data.delay)
    before: list[set[int]] = [set() if data.concurrent or step == 0 else {step - 1} for step in range(steps)]
    for step, earlier in (data.orders or {}).items():
        _require_steps([step, *earlier], steps)
        before[int(step)].update(earlier)
    try:
        TopologicalSorter(dict(enumerate(before))).prepare()
    except CycleError as error:
        raise ValueError(f"custom_data: orders wait for each other: {error.args[1]}") from None
    behind = [{later for later in range(steps) if step in before[later]} for step in range(steps)]
    return Plan(tuple(map(frozenset, before)), tuple(map(frozenset, behind)), 0)


def _require_steps(mentioned: list[int | str], steps: int) -> None:
    for step in mentioned:
        if not (str(step).isdecimal() and int(step) < steps):
            raise ValueError(f"custom_data: orders name step {step}, but there are steps 0 to {steps - 1}")
