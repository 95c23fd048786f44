"""JSON Schemas of the messages as json_codec reads and writes them, with the protos' rules and comments in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.common.json_codec import INT_RANGES
from services.common.pb.buf.validate import validate_pb2

Schema = dict[str, Any]
_validate: Any = validate_pb2  # generated without types

_FORMATS = {
    FieldDescriptor.CPPTYPE_INT32: "int32",
    FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_UINT32: "uint32",
    FieldDescriptor.CPPTYPE_UINT64: "uint64",
    FieldDescriptor.CPPTYPE_ENUM: "int32",
}
_STRING_FORMATS = ("email", "uri", "uuid")  # the same in both languages


class Schemas:
    """Collects the schemas of messages under the names that `$ref` uses."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.components: dict[str, Schema] = {}
        self._comments = comments

    def request(self, descriptor: Descriptor, without: Collection[str] = ()) -> Schema:
        """A body that a caller sends: rules in it, other fields refused, the fields `without` not known."""
        return self._reference(descriptor, without, reads=True)

    def response(self, descriptor: Descriptor) -> Schema:
        """What an answer holds: every field is there."""
        return self._reference(descriptor, (), reads=False)

    def parameter(self, field: FieldDescriptor) -> Schema:
        """A field that comes in the path or the query string."""
        return self._field(field, reads=True)

    def _reference(self, descriptor: Descriptor, without: Collection[str], *, reads: bool) -> Schema:
        name = descriptor.full_name.removeprefix("eshop.").replace(".v1.", ".")
        if name not in self.components:
            self.components[name] = {}  # a message that contains itself ends here
            self.components[name] = self._message(descriptor, without, reads=reads)
        return {"$ref": f"#/components/schemas/{name}"}

    def _message(self, descriptor: Descriptor, without: Collection[str], *, reads: bool) -> Schema:
        fields = [field for field in descriptor.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "properties": {field.json_name: self._property(field, reads=reads) for field in fields},
        }
        required = [field.json_name for field in fields if not reads or is_required(field)]
        if required:
            schema["required"] = required
        if reads:
            schema["additionalProperties"] = False
        return self._described(schema, descriptor.full_name)

    def _property(self, field: FieldDescriptor, *, reads: bool) -> Schema:
        schema = self._field(field, reads=reads)
        if field.has_presence and "type" in schema:  # null is the same as absent
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        return schema

    def _field(self, field: FieldDescriptor, *, reads: bool) -> Schema:
        schema = self._type(field, reads=reads)
        if field.is_repeated and not _is_map(field):
            items = _rules(rules_of(field).repeated.items) if reads else {}
            schema = {"type": "array", "items": schema | items}
        if reads:
            schema |= _rules(rules_of(field))
        return self._described(schema, field.full_name)

    def _type(self, field: FieldDescriptor, *, reads: bool) -> Schema:
        if _is_map(field):
            value: Any = field.message_type
            return {"type": "object", "additionalProperties": self._type(value.fields_by_name["value"], reads=reads)}
        if field.message_type is not None:
            if field.message_type.full_name == "google.protobuf.Value":
                return {}
            return self._reference(field.message_type, (), reads=reads)
        if field.cpp_type in INT_RANGES:
            low, high = INT_RANGES[field.cpp_type]
            return {"type": "integer", "format": _FORMATS[field.cpp_type], "minimum": low, "maximum": high}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return {"type": "string"}
        return {"type": "boolean" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "number"}

    def _described(self, schema: Schema, full_name: str) -> Schema:
        comment = self._comments.get(full_name)
        return schema | {"description": comment} if comment else schema


def rules_of(field: FieldDescriptor) -> Any:
    """Its buf.validate.FieldRules."""
    return field.GetOptions().Extensions[_validate.field]


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without the field breaks a rule: absent is zero, unless the field has presence."""
    rules = rules_of(field)
    if rules.required:
        return True
    if field.has_presence or rules.ignore == _validate.IGNORE_IF_ZERO_VALUE:
        return False
    schema = _rules(rules)
    zero: Any = 0 if field.cpp_type in INT_RANGES else ""
    return (
        schema.get("minimum", 0) > 0
        or schema.get("minLength", 0) > 0
        or schema.get("minItems", 0) > 0
        or "format" in schema
        or zero not in schema.get("enum", [zero])
    )


def _rules(rules: Any) -> Schema:
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    given = {rule.name: value for rule, value in getattr(rules, kind).ListFields()}
    if kind == "string":
        schema = _string_rules(given)
        if "pattern" in schema and rules.ignore == _validate.IGNORE_IF_ZERO_VALUE:
            schema["pattern"] = f"^$|{schema['pattern']}"
    elif kind == "repeated":
        names = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}
        schema = {names[name]: value for name, value in given.items() if name in names}
    else:
        schema = _number_rules(given)
    if "const" in given:
        schema["const"] = given["const"]
    if "in" in given:
        schema["enum"] = list(given["in"])
    return schema


def _string_rules(given: Mapping[str, Any]) -> Schema:
    names = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
    schema = {names[name]: value for name, value in given.items() if name in names}
    for name in _STRING_FORMATS:
        if given.get(name):
            schema["format"] = name
    return schema


def _number_rules(given: Mapping[str, Any]) -> Schema:
    """Of whole numbers, so that every bound can be an inclusive one."""
    schema: Schema = {}
    if "gte" in given or "gt" in given:
        schema["minimum"] = given["gte"] if "gte" in given else given["gt"] + 1
    if "lte" in given or "lt" in given:
        schema["maximum"] = given["lte"] if "lte" in given else given["lt"] - 1
    return schema


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
