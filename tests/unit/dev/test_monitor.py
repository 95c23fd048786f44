"""When Prometheus counts as started."""

from __future__ import annotations

import pytest

from dev import monitor
from dev.errors import StackError
from dev.stack import Stack


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A monitor whose Prometheus runs and answers as told."""
    found = monitor.Monitor(Stack(folder=tmp_path))
    monkeypatch.setattr(found._stack.processes, "pid", lambda name: 1)
    monkeypatch.setattr(monitor.time, "sleep", lambda seconds: None)
    return found


def test_it_has_started_when_every_target_was_scraped(started, monkeypatch):
    """At first it knows no target at all, for some seconds."""
    answers = iter([{}, {"order": "unknown", "pay": "up"}, {"order": "down", "pay": "up"}, {"order": "up"}])
    monkeypatch.setattr(started, "targets", lambda: next(answers))
    started._wait_scraped()
    assert list(answers) == [{"order": "up"}]


def test_it_is_not_waited_for_for_ever(started, monkeypatch):
    monkeypatch.setattr(started, "targets", dict)
    with pytest.raises(StackError, match="has not scraped its targets"):
        started._wait_scraped(seconds=0.1)
