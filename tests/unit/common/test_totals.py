"""Total: exact where counting is cheap, reused where it is dear."""

from __future__ import annotations

import pytest

from services.common import totals
from services.common.totals import EXACT_ROWS, Total


class Table:
    """Counts how often it is counted; each count takes `seconds` of the clock."""

    def __init__(self, monkeypatch, rows, seconds):
        self.rows, self.seconds, self.counts, self.now = rows, seconds, 0, 1000.0
        monkeypatch.setattr(totals.time, "monotonic", lambda: self.now)

    async def count(self):
        self.counts += 1
        self.now += self.seconds
        return self.rows


async def test_few_rows_are_counted_each_time(monkeypatch):
    table, total = Table(monkeypatch, EXACT_ROWS, 0.5), Total()
    assert await total.get(table.count) == EXACT_ROWS
    table.rows -= 1
    assert await total.get(table.count) == EXACT_ROWS - 1
    assert table.counts == 2


@pytest.mark.parametrize(("seconds", "reused"), [(0.5, True), (0.01, False)])
async def test_many_rows_are_counted_as_seldom_as_counting_is_dear(monkeypatch, seconds, reused):
    table, total = Table(monkeypatch, EXACT_ROWS + 1, seconds), Total()
    await total.get(table.count)
    table.rows, table.now = 2 * EXACT_ROWS, table.now + 1
    assert await total.get(table.count) == (EXACT_ROWS + 1 if reused else 2 * EXACT_ROWS)
    table.now += 100
    assert await total.get(table.count) == 2 * EXACT_ROWS


async def test_a_failed_count_is_asked_again(monkeypatch):
    table, total = Table(monkeypatch, EXACT_ROWS + 1, 0.5), Total()

    async def fail():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await total.get(fail)
    assert await total.get(table.count) == EXACT_ROWS + 1
