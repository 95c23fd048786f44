from __future__ import annotations

from datetime import datetime

import pytest

from services.common.timestamps import from_rfc3339, to_rfc3339


def test_out():
    assert to_rfc3339(datetime(2026, 1, 2, 3, 4, 5, 67_000)) == "2026-01-02T03:04:05.067Z"
    assert to_rfc3339(datetime(2026, 1, 2)) == "2026-01-02T00:00:00.000Z"
    assert to_rfc3339(None) == ""


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05.067Z", datetime(2026, 1, 2, 3, 4, 5, 67_000)),
        ("2026-01-02T03:04:05.0679Z", datetime(2026, 1, 2, 3, 4, 5, 67_000)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02", datetime(2026, 1, 2)),
    ],
)
def test_in(text, time):
    assert from_rfc3339(text) == time


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-10:00", "1"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the documented error
        from_rfc3339(text)
