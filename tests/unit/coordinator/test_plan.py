"""custom_data: order of steps, delay, and what is refused."""

from __future__ import annotations

import json

import pytest

from services.coordinator.plan import read_plan


def test_a_plain_saga_is_sequential():
    plan = read_plan("saga", "", 3)
    assert plan.before == (frozenset(), {0}, {1})
    assert plan.behind == ({1}, {2}, frozenset())


def test_a_concurrent_saga_has_only_its_orders():
    plan = read_plan("saga", '{"concurrent":true,"orders":{"2":[0,1]}}', 3)
    assert plan.before == (frozenset(), frozenset(), {0, 1})
    assert plan.behind == ({2}, {2}, frozenset())


def test_orders_add_to_the_sequence():
    assert read_plan("saga", '{"orders":{"2":[0]}}', 3).before == (frozenset(), {0}, {0, 1})


def test_a_message_may_be_delayed():
    assert read_plan("msg", '{"delay":7}', 1).delay == 7
    assert read_plan("msg", "", 1).delay == 0


@pytest.mark.parametrize(
    ("custom_data", "says"),
    [
        ("{", "custom_data"),
        ("[]", "custom_data"),
        ({"concurrent": "yes"}, "custom_data"),
        ({"orders": {"3": [0]}}, "step 3"),
        ({"orders": {"1": [3]}}, "step 3"),
        ({"orders": {"1": [-1]}}, "step -1"),
        ({"orders": {"x": [0]}}, "step x"),
        ({"orders": {"0": [1], "1": [0]}, "concurrent": True}, "wait for each other"),
        ({"orders": {"1": [1]}, "concurrent": True}, "wait for each other"),
        ({"orders": {"0": [2]}}, "wait for each other"),
        ({"delay": -1}, "negative"),
    ],
)
def test_what_cannot_work_is_refused(custom_data, says):
    text = custom_data if isinstance(custom_data, str) else json.dumps(custom_data)
    with pytest.raises(ValueError, match=says):
        read_plan("saga", text, 3)
