"""The comments of the protos, from the descriptor set that protos/generate.py writes beside the generated code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

_DESCRIPTORS = Path(__file__).parent / "pb" / "eshop.binpb"
_FILE = descriptor_pb2.FileDescriptorProto
_MESSAGE = descriptor_pb2.DescriptorProto

Location = tuple[int, ...]


def load() -> dict[str, str]:
    """Comment by full name, of every message, field, enum value, service and method of the shop that has one.

    A service without a comment of its own has that of its file.
    """
    files = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTORS.read_bytes())
    found = {}
    for file in files.file:
        if file.package.startswith("eshop."):
            names = dict(_names(file))
            for location in file.source_code_info.location:
                name = names.get(tuple(location.path))
                if name and location.leading_comments:
                    found[name] = _text(location.leading_comments)
    return found


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Location, str]]:
    if file.service:
        yield (_FILE.SYNTAX_FIELD_NUMBER,), f"{file.package}.{file.service[0].name}"
    for path, message in _numbered((_FILE.MESSAGE_TYPE_FIELD_NUMBER,), file.message_type):
        yield from _names_of_message(path, message, file.package)
    for path, enum in _numbered((_FILE.ENUM_TYPE_FIELD_NUMBER,), file.enum_type):
        yield path, f"{file.package}.{enum.name}"
        for value_path, value in _numbered((*path, descriptor_pb2.EnumDescriptorProto.VALUE_FIELD_NUMBER), enum.value):
            yield value_path, f"{file.package}.{value.name}"
    for path, service in _numbered((_FILE.SERVICE_FIELD_NUMBER,), file.service):
        yield path, f"{file.package}.{service.name}"
        methods = (*path, descriptor_pb2.ServiceDescriptorProto.METHOD_FIELD_NUMBER)
        for method_path, method in _numbered(methods, service.method):
            yield method_path, f"{file.package}.{service.name}.{method.name}"


def _names_of_message(path: Location, message: Any, package: str) -> Iterator[tuple[Location, str]]:
    name = f"{package}.{message.name}"
    yield path, name
    for field_path, field in _numbered((*path, _MESSAGE.FIELD_FIELD_NUMBER), message.field):
        yield field_path, f"{name}.{field.name}"
    for nested_path, nested in _numbered((*path, _MESSAGE.NESTED_TYPE_FIELD_NUMBER), message.nested_type):
        yield from _names_of_message(nested_path, nested, name)


def _numbered(path: Location, items: Sequence[Any]) -> Iterator[tuple[Location, Any]]:
    for number, item in enumerate(items):
        yield (*path, number), item


def _text(comment: str) -> str:
    """The comment without the line breaks of its source; empty lines stay."""
    paragraphs = comment.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)
