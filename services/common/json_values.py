"""google.protobuf.Value, any JSON, to and from Python's own data."""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Value

from services.common.errors import Malformed

# The integers that a Value, a double, holds exactly.
_EXACT = 2**53
_MAX_DEPTH = 32


def to_value(given: Any, depth: int = 0) -> Value:
    """Of JSON data; Malformed when it is nested too deeply or holds an integer that a double cannot."""
    if depth > _MAX_DEPTH:
        raise Malformed("the body is nested too deeply")
    if given is None:
        return Value(null_value=0)  # type: ignore[arg-type]
    if isinstance(given, bool):
        return Value(bool_value=given)
    if isinstance(given, str):
        return Value(string_value=given)
    if isinstance(given, int | float):
        if isinstance(given, int) and abs(given) > _EXACT:
            raise Malformed(f"a number beyond {_EXACT} must be given as a string here")
        return Value(number_value=given)
    value = Value()
    if isinstance(given, list):
        value.list_value.SetInParent()
        value.list_value.values.extend(to_value(item, depth + 1) for item in given)
        return value
    value.struct_value.SetInParent()
    for name, item in given.items():
        value.struct_value.fields[name].CopyFrom(to_value(item, depth + 1))
    return value


def from_value(value: Value) -> Any:
    """As JSON data, whole numbers as integers."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return {name: from_value(item) for name, item in sorted(value.struct_value.fields.items())}
    return getattr(value, kind)
