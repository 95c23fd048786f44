"""Times at the edges of the shop: RFC 3339 text in UTC outside, naive UTC datetimes in the tables."""

from __future__ import annotations

from datetime import UTC, datetime


def to_rfc3339(time: datetime | None) -> str:
    """`2026-11-22T19:53:24.123Z`; empty for None."""
    return f"{time.isoformat(timespec='milliseconds')}Z" if time else ""


def from_rfc3339(text: str) -> datetime:
    """UTC without a zone, to the millisecond; text without a zone is taken as UTC. Anything else is a ValueError."""
    try:
        time = datetime.fromisoformat(text)
        time = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except OverflowError:
        raise ValueError(f"{text} is out of range") from None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
