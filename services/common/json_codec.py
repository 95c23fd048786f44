"""JSON to protobuf messages and back, by one decoder and one encoder for each message type, compiled at start.

The JSON is the contract's, not protobuf's own mapping: 64-bit numbers are JSON numbers, enums are numbers, every field
is written. Fields go by their json_name, in the order of the proto; fields with presence that are unset are null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Value

from services.common.errors import Malformed
from services.common.json_values import from_value, to_value

Decode = Callable[[bytes], Message]
Encode = Callable[[Message], bytes]
# From a struct that msgspec has read to a message, and from a message to what msgspec writes.
_Build = Callable[[Any], Any]
_Show = Callable[[Any], Any]

INT_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_VALUE = Value.DESCRIPTOR.full_name
# Callers choose the names of fields, also long ones.
_SENTENCE = 200
_NAMES = {"int": "integer", "str": "string", "bool": "boolean", "float": "number", "bytes": "base64 string"}
_encode = msgspec.json.Encoder().encode


def decoder(message_type: type[Message], without: Collection[str] = ()) -> Decode:
    """Compiles a function from a JSON object to a message; the fields `without` are unknown to it.

    It raises Malformed, naming the field, for bytes that are no JSON object in UTF-8, unknown fields, wrong types and
    numbers out of range. A name given twice counts once, with its last value.
    """
    struct, build = _reader(descriptor_of(message_type), without)
    read = msgspec.json.Decoder(struct).decode

    def decode(body: bytes) -> Message:
        try:
            message: Message = build(read(body))
        except Malformed:
            raise
        except UnicodeError:
            raise Malformed("the body is not UTF-8") from None
        except RecursionError:
            raise Malformed("the body is nested too deeply") from None
        except ValueError as error:  # msgspec's errors too
            raise Malformed(_sentence(str(error))) from None
        return message

    return decode


def encoder(message_type: type[Message]) -> Encode:
    """Compiles a function from a message to the bytes of a JSON object."""
    show = _writer(descriptor_of(message_type))
    return lambda message: _encode(show(message))


def descriptor_of(message_type: type[Message]) -> Descriptor:
    descriptor: Any = message_type.DESCRIPTOR  # typed as one of two implementations
    return descriptor  # type: ignore[no-any-return]


def _reader(descriptor: Descriptor, without: Collection[str] = (), inside: tuple[str, ...] = ()) -> tuple[Any, _Build]:
    _refuse_recursion(descriptor, inside)
    fields: list[tuple[str, Any, Any]] = []
    builds: dict[str, _Build] = {}
    for field in descriptor.fields:
        if field.name in without:
            continue
        kind, default, build = _field_reader(field, (*inside, descriptor.full_name))
        fields.append((field.name, kind, default))
        if build:
            builds[field.name] = build
    struct = msgspec.defstruct(
        descriptor.name, fields, rename=_contract_names(descriptor), forbid_unknown_fields=True, kw_only=True
    )
    return struct, _builder(descriptor, builds)


def _builder(descriptor: Descriptor, builds: Mapping[str, _Build]) -> _Build:
    message_type = GetMessageClass(descriptor)
    values_of = msgspec.structs.asdict
    oneofs = [[field.name for field in oneof.fields] for oneof in descriptor.oneofs if len(oneof.fields) > 1]

    def build(struct: Any) -> Message:
        try:
            return message_type(**values_of(struct))
        except ValueError as error:
            raise Malformed(_out_of_range(descriptor, values_of(struct), error)) from None

    def build_nested(struct: Any) -> Message:
        values = values_of(struct)
        for name, convert in builds.items():
            if values[name] is msgspec.UNSET:
                del values[name]
            elif values[name] is not None or convert is to_value:
                values[name] = convert(values[name])
        for members in oneofs:
            if sum(values.get(name) is not None for name in members) > 1:
                raise Malformed(f"only one of {', '.join(members)} may be given")
        try:
            return message_type(**values)
        except ValueError as error:
            raise Malformed(_out_of_range(descriptor, values, error)) from None

    return build_nested if builds or oneofs else build


def _out_of_range(descriptor: Descriptor, values: Mapping[str, Any], error: ValueError) -> str:
    """Names the field whose value protobuf refused: a uint64 beyond its range, which msgspec cannot check."""
    for field in descriptor.fields:
        bounds = INT_RANGES.get(field.cpp_type)
        given = values.get(field.name)
        numbers = given.values() if isinstance(given, dict) else given if isinstance(given, list) else [given]
        if bounds and any(isinstance(number, int) and not bounds[0] <= number <= bounds[1] for number in numbers):
            return f"{field.json_name}: expected integer <= {bounds[1]}"
    return str(error)


def _field_reader(field: FieldDescriptor, inside: tuple[str, ...]) -> tuple[Any, Any, _Build | None]:
    """The field's type for msgspec, its default, and what turns the value read into protobuf's; None: nothing."""
    kind: Any
    entry = _map_entry(field)
    if entry:
        kind, build = _type_reader(entry.fields_by_name["value"], inside)
        keys: Any = _scalar(entry.fields_by_name["key"])
        return dict[keys, kind], msgspec.field(default_factory=dict), _for_values(build) if build else None
    kind, build = _type_reader(field, inside)
    if field.is_repeated:
        return list[kind], msgspec.field(default_factory=list), _for_items(build) if build else None
    if build is to_value:  # null is a value, so absence needs a mark of its own
        return Any | msgspec.UnsetType, msgspec.UNSET, build
    if field.has_presence:
        return kind | None, None, build
    return kind, field.default_value, build


def _for_items(build: _Build) -> _Build:
    return lambda given: [build(item) for item in given]


def _for_values(build: _Build) -> _Build:
    return lambda given: {key: build(value) for key, value in given.items()}


def _type_reader(field: FieldDescriptor, inside: tuple[str, ...]) -> tuple[Any, _Build | None]:
    if field.message_type is None:
        return _scalar(field), None
    if field.message_type.full_name == _VALUE:
        return Any, to_value
    return _reader(field.message_type, inside=inside)


def _scalar(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes
    if field.cpp_type in INT_RANGES:
        low, high = INT_RANGES[field.cpp_type]
        # msgspec's own bounds end at 2^63; protobuf checks the rest.
        return Annotated[int, msgspec.Meta(ge=low, le=high)] if high < 2**63 else Annotated[int, msgspec.Meta(ge=low)]
    return {
        FieldDescriptor.CPPTYPE_STRING: str,
        FieldDescriptor.CPPTYPE_BOOL: bool,
        FieldDescriptor.CPPTYPE_FLOAT: float,
        FieldDescriptor.CPPTYPE_DOUBLE: float,
    }[field.cpp_type]


def _writer(descriptor: Descriptor, inside: tuple[str, ...] = ()) -> _Show:
    _refuse_recursion(descriptor, inside)
    names = [field.name for field in descriptor.fields]
    struct: Any = msgspec.defstruct(
        descriptor.name, [(name, Any) for name in names], rename=_contract_names(descriptor)
    )
    if all(_is_plain(field) for field in descriptor.fields) and len(names) > 1:
        values_of = attrgetter(*names)
        return lambda message: struct(*values_of(message))
    gets = [_field_writer(field, (*inside, descriptor.full_name)) for field in descriptor.fields]
    return lambda message: struct(*[get(message) for get in gets])


def _field_writer(field: FieldDescriptor, inside: tuple[str, ...]) -> _Show:
    name = field.name
    entry = _map_entry(field)
    if entry:
        show = _type_writer(entry.fields_by_name["value"], inside)
        return lambda message: {key: show(value) for key, value in sorted(getattr(message, name).items())}
    show = _type_writer(field, inside)
    if field.is_repeated:
        return lambda message: [show(item) for item in getattr(message, name)]
    if field.has_presence:
        return lambda message: show(getattr(message, name)) if message.HasField(name) else None
    return attrgetter(name)


def _type_writer(field: FieldDescriptor, inside: tuple[str, ...]) -> _Show:
    if field.message_type is None:
        return lambda value: value
    if field.message_type.full_name == _VALUE:
        return from_value
    return _writer(field.message_type, inside)


def _is_plain(field: FieldDescriptor) -> bool:
    return field.message_type is None and not field.is_repeated and not field.has_presence


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    """The message of key and value that a map is made of."""
    return field.message_type if field.message_type is not None and field.message_type.GetOptions().map_entry else None


def _contract_names(descriptor: Descriptor) -> dict[str, str]:
    return {field.name: field.json_name for field in descriptor.fields}


def _refuse_recursion(descriptor: Descriptor, inside: tuple[str, ...]) -> None:
    if descriptor.full_name in inside:
        raise TypeError(f"{descriptor.full_name} contains itself: it has no compiled JSON")


def _sentence(error: str) -> str:
    """msgspec's message with the field first and JSON's names of types."""
    text, _, path = error.partition(" - at `")
    text = re.sub(r"`([^`]*)`", lambda found: _type_names(found[1]), text)
    text = text.replace("Object contains unknown field", "unknown field")
    field = path.rstrip("`").removeprefix("$").lstrip(".")[:_SENTENCE]
    if text.startswith("Input data was truncated"):
        text = "JSON is malformed: it ends too early"
    text = text[:_SENTENCE]
    return f"{field}: {text[0].lower()}{text[1:]}" if field else text


def _type_names(names: str) -> str:
    return " or ".join(_NAMES.get(name, name) for name in names.split(" | "))
