"""Fields of a request that come as text, from the path or the query string: one parser for each, compiled at start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.common.errors import Malformed
from services.common.json_codec import INT_RANGES

_MAX_PARAMETERS = 100

Parse = Callable[[str], Any]


def query_reader(fields: Sequence[FieldDescriptor]) -> Callable[[Message, bytes], None]:
    """Compiles a function that sets a message's fields from a query string; unknown or repeated names are Malformed."""
    parsers = {field.json_name: (field.name, parser(field)) for field in fields}

    def read(message: Message, query: bytes) -> None:
        seen = set()
        for name, text in _pairs(query):
            if name not in parsers:
                raise Malformed(f"unknown parameter {name[:100]!r}")
            if name in seen:
                raise Malformed(f"{name}: given twice")
            seen.add(name)
            field, parse = parsers[name]
            setattr(message, field, parse(text))

    return read


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode(), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict")
    except UnicodeError:
        raise Malformed("the query string is not UTF-8") from None
    except ValueError:
        raise Malformed("the query string has too many parameters") from None


def parser(field: FieldDescriptor) -> Parse:
    """From text to the value of a string, integer or boolean field."""
    if field.is_repeated or field.message_type is not None:
        raise TypeError(f"{field.full_name} cannot come from a path or a query string")
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return str
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _boolean(field.json_name)
    return _integer(field.json_name, *INT_RANGES[field.cpp_type])


def _boolean(name: str) -> Parse:
    def parse(text: str) -> bool:
        if text not in ("true", "false"):
            raise Malformed(f"{name}: expected true or false")
        return text == "true"

    return parse


def _integer(name: str, low: int, high: int) -> Parse:
    def parse(text: str) -> int:
        digits = text.removeprefix("-")
        # int() alone would take spaces, underscores and other alphabets' digits.
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20 and low <= int(text) <= high):
            raise Malformed(f"{name}: expected an integer from {low} to {high}")
        return int(text)

    return parse
