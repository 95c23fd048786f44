"""Ids of 26 Crockford characters: new ones (ULIDs, in order of time), and those that a repeat gets again."""

from __future__ import annotations

import hashlib
import io
import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTER_OF_BYTE = (_ALPHABET * 8).encode()
_ULID_FIRST = "01234567"
DERIVED_FIRST = "K"

_random = io.BytesIO()
_time_part = (0, "")


def new_id() -> str:
    """A ULID: 48 bits of milliseconds, 80 random bits. One is made for every order, hence the care about its cost."""
    global _time_part
    milliseconds = time.time_ns() // 1_000_000
    if _time_part[0] != milliseconds:
        _time_part = (milliseconds, _spell(milliseconds, 10))
    return _time_part[1] + _random_letters()


def _random_letters() -> str:
    """Sixteen letters of five random bits, from the kernel a page at a time: a system call costs more than the id."""
    global _random
    found = _random.read(16)
    if not found:
        _random = io.BytesIO(os.urandom(4096))
        found = _random.read(16)
    return found.translate(_LETTER_OF_BYTE).decode()


def derived_id(*parts: str) -> str:
    """The same id for the same parts: 125 bits of their SHA-256 behind a letter with which no ULID begins."""
    framed = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
    return DERIVED_FIRST + _spell(int.from_bytes(hashlib.sha256(framed).digest()[:16]), 26)[1:]


def may_be_repeated(an_id: str) -> bool:
    """Whether a caller may send this id again on purpose: it is derived from a key, or it is no id of ours."""
    return an_id[:1] not in _ULID_FIRST


def _spell(number: int, letters: int) -> str:
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(5 * (letters - 1), -1, -5)])
