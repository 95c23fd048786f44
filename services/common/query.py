"""What a caller may ask of a list: pages, orders and conditions, checked against the columns and made into SQL.

Names are the table's or the contract's, and only those of columns that an answer shows. Values are always bound.
Whatever does not fit is InvalidQuery.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf.struct_pb2 import Value

from services.common.errors import InvalidQuery
from services.common.pb.eshop.query.v1 import query_pb2
from services.common.timestamps import from_rfc3339

Columns = Mapping[str, sa.Column[Any]]
Condition = sa.ColumnElement[bool]

DEFAULT_LIMIT, MAX_LIMIT = 10, 100
# The server reads and drops every row before the page.
_MAX_OFFSET = 1_000_000
_MAX_IN = 1_000
_LOGIC = {"": "and", "&": "and", "&&": "and", "and": "and", "|": "or", "||": "or", "or": "or"}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "": operator.eq,
    "=": operator.eq,
    "eq": operator.eq,
    "!=": operator.ne,
    "neq": operator.ne,
    ">": operator.gt,
    "gt": operator.gt,
    ">=": operator.ge,
    "gte": operator.ge,
    "<": operator.lt,
    "lt": operator.lt,
    "<=": operator.le,
    "lte": operator.le,
}


def page_bounds(page: int, limit: int) -> tuple[int, int]:
    """Rows to show and rows before them, for a page counted from 0; limit 0 is the default."""
    limit = limit or DEFAULT_LIMIT
    if limit > MAX_LIMIT:
        raise InvalidQuery(f"limit: at most {MAX_LIMIT}")
    if page * limit > _MAX_OFFSET:
        raise InvalidQuery(f"page: only the first {_MAX_OFFSET} rows can be paged; add conditions")
    return limit, page * limit


def order_by(sort: str, columns: Columns) -> list[sa.ColumnElement[Any]]:
    """`-id,name`: descending by id, then ascending by name. Empty: newest first. The id comes last: stable pages."""
    clauses: list[sa.ColumnElement[Any]] = []
    for part in sort.split(",") if sort else ["-id"]:
        name = part.strip()
        column = _column(name.removeprefix("-"), columns, "sort")
        clauses.append(column.desc() if name.startswith("-") else column.asc())
    if len(clauses) > len(columns):
        raise InvalidQuery("sort: too many columns")
    return [*clauses, columns["id"].desc()] if sort else clauses


def where(filters: Sequence[query_pb2.Column], columns: Columns) -> Condition | None:
    """The conditions as one; None when there are none. `logic` joins a condition to the next; `and` binds tighter."""
    alternatives: list[list[Condition]] = [[]]
    for filter_ in filters:
        alternatives[-1].append(_condition(filter_, columns))
        logic = _LOGIC.get(filter_.logic.strip().lower())
        if logic is None:
            raise InvalidQuery(f"logic: {filter_.logic[:20]!r} is none of &, ||")
        if logic == "or" and filter_ is not filters[-1]:
            alternatives.append([])
    return sa.or_(*(sa.and_(*group) for group in alternatives)) if filters else None


def _condition(filter_: query_pb2.Column, columns: Columns) -> Condition:
    column = _column(filter_.name, columns, "columns")
    exp = filter_.exp.strip().lower()
    if exp == "like":
        return _like(filter_, column)
    if exp == "in":
        return column.in_([_typed(item, column, filter_.name) for item in _items(filter_)])
    if exp not in _COMPARISONS:
        raise InvalidQuery(f"exp: {filter_.exp[:20]!r} is none of =, !=, >, >=, <, <=, like, in")
    condition: Condition = _COMPARISONS[exp](column, _typed(filter_.value, column, filter_.name))
    return condition


def _like(filter_: query_pb2.Column, column: sa.Column[Any]) -> Condition:
    if not isinstance(column.type, sa.String):
        raise InvalidQuery(f"{filter_.name}: like needs a column of text")
    pattern = _typed(filter_.value, column, filter_.name)
    return column.like(pattern if "%" in pattern else f"%{pattern}%")


def _items(filter_: query_pb2.Column) -> Sequence[Value]:
    kind = filter_.value.WhichOneof("kind")
    items: Sequence[Value] = [filter_.value]
    if kind == "list_value":
        items = filter_.value.list_value.values
    elif kind == "string_value":
        items = [Value(string_value=part.strip()) for part in filter_.value.string_value.split(",")]
    if not 1 <= len(items) <= _MAX_IN:
        raise InvalidQuery(f"{filter_.name}: in takes 1 to {_MAX_IN} values")
    return items


def _column(name: str, columns: Columns, where_from: str) -> sa.Column[Any]:
    if name not in columns:
        raise InvalidQuery(f"{where_from}: no column {name[:50]!r}")
    return columns[name]


def _typed(value: Value, column: sa.Column[Any], name: str) -> Any:
    """The value as the column's Python type."""
    if isinstance(column.type, sa.Integer):
        return _integer(value, name)
    text = _text(value, name)
    if isinstance(column.type, sa.DateTime):
        try:
            return from_rfc3339(text)
        except ValueError:
            raise InvalidQuery(f"{name}: expected an RFC 3339 time") from None
    return text


def _integer(value: Value, name: str) -> int:
    kind = value.WhichOneof("kind")
    if kind == "bool_value":
        return int(value.bool_value)
    if kind == "number_value" and value.number_value.is_integer():
        number = int(value.number_value)
    elif kind == "string_value" and _is_integer(value.string_value):
        number = int(value.string_value)
    else:
        raise InvalidQuery(f"{name}: expected an integer")
    if not -(2**63) <= number < 2**64:
        raise InvalidQuery(f"{name}: out of range")
    return number


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 20


def _text(value: Value, name: str) -> str:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        return str(int(number)) if number.is_integer() else repr(number)
    raise InvalidQuery(f"{name}: expected a string")
