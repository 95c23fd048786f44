"""The REST side of an RPC as its google.api.http option says: verb, path, where the request's fields come from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from services.common.pb.eshop.options.v1 import options_pb2

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class HttpRule:
    """`path` is a route's path, `{field}` for a variable of one segment, named by the request's field."""

    verb: str
    path: str
    variables: tuple[FieldDescriptor, ...]
    reads_body: bool
    response_field: FieldDescriptor | None  # its message is the answer's data; None: the whole response is
    id_field: FieldDescriptor | None  # filled with an id, never read from the caller
    id_scope: tuple[str, ...]  # the fields that an Idempotency-Key belongs to

    @property
    def not_in_body(self) -> set[str]:
        """Fields that come from elsewhere, so that a body that names them is refused."""
        return {field.name for field in (*self.variables, self.id_field) if field}


def http_rule(method: MethodDescriptor) -> HttpRule | None:
    """The rule of an RPC; None when it has no REST route. A rule that REST cannot serve is a TypeError."""
    option = method.GetOptions().Extensions[annotations_pb2.http]
    verb = option.WhichOneof("pattern")
    if verb is None:
        return None
    path = getattr(option, verb) if verb in _VERBS else ""
    if not re.fullmatch(r"(/(\w+|\{\w+\}))+", path) or option.body not in ("", "*") or option.additional_bindings:
        raise TypeError(f"{method.full_name}: this google.api.http option cannot be served")
    fields = method.input_type.fields_by_name
    response_field = method.output_type.fields_by_name[option.response_body] if option.response_body else None
    if response_field and (response_field.message_type is None or response_field.is_repeated):
        raise TypeError(f"{method.full_name}: response_body must name one message")
    id_field = next((field for field in fields.values() if _id_scope(field)), None)
    return HttpRule(
        verb=verb.upper(),
        path=path,
        variables=tuple(fields[name] for name in re.findall(r"\{(\w+)\}", path)),
        reads_body=option.body == "*",
        response_field=response_field,
        id_field=id_field,
        id_scope=_id_scope(id_field) if id_field else (),
    )


def _id_scope(field: FieldDescriptor) -> tuple[str, ...]:
    return tuple(field.GetOptions().Extensions[options_pb2.idempotent_by])
