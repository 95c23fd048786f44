"""Ids of 26 Crockford characters: new ones (ULIDs, in order of time), and those that a repeat gets again."""

from __future__ import annotations

import hashlib
import io
import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Ten bits at a time: python-ulid takes twice as long.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_ULID_FIRST = "01234567"
DERIVED_FIRST = "K"
_SHIFTS = range(120, -1, -10)


_random = io.BytesIO()


def new_id() -> str:
    """A ULID: 48 bits of milliseconds, 80 random bits."""
    return _spell((time.time_ns() // 1_000_000) << 80 | int.from_bytes(_random_bytes(10)))


def _random_bytes(count: int) -> bytes:
    """From the kernel, a page at a time: a system call for each id would cost as much as the rest of it."""
    global _random
    found = _random.read(count)
    if len(found) < count:
        _random = io.BytesIO(os.urandom(4000))
        found = _random.read(count)
    return found


def derived_id(*parts: str) -> str:
    """The same id for the same parts: 125 bits of their SHA-256 behind a letter with which no ULID begins."""
    framed = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
    return DERIVED_FIRST + _spell(int.from_bytes(hashlib.sha256(framed).digest()[:16]))[1:]


def may_be_repeated(an_id: str) -> bool:
    """Whether a caller may send this id again on purpose: it is derived from a key, or it is no id of ours."""
    return an_id[:1] not in _ULID_FIRST


def _spell(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
