"""The OpenAPI 3.1 description of RPCs with REST routes: what rest.py serves, in words of the protos.

It is built at the first request, so that a process that nobody asks keeps no document.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.common import proto_comments
from services.common.http_rules import HttpRule, http_rule
from services.common.json_codec import descriptor_of
from services.common.json_schema import Schema, Schemas, is_required
from services.common.pb.eshop.errors.v1 import errors_pb2
from services.common.rpc import Rpc
from services.common.swagger_ui import swagger_ui_routes

PATH = "/apis/openapi.json"

# What errors carry: nothing, or, where the outcome is unknown, the order id to ask with.
_NOTHING: Schema = {"type": "object", "maxProperties": 0}
_ORDER_ID: Schema = {"type": "object", "properties": {"orderID": {"type": "string"}}, "additionalProperties": False}
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a repeat safe: the same key, by the same user, gives the same order.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def routes(title: str, rpcs: Sequence[Rpc]) -> list[BaseRoute]:
    """The document at PATH, and Swagger UI over it."""
    built: list[bytes] = []

    async def serve(_: Request) -> Response:
        if not built:
            built.append(msgspec.json.encode(document(title, rpcs)))
        return Response(built[0], media_type="application/json")

    return [Route(PATH, serve), *swagger_ui_routes(f"eshop {title}", PATH)]


def document(title: str, rpcs: Sequence[Rpc]) -> dict[str, Any]:
    """The whole description as JSON data."""
    return _Document().build(title, rpcs)


class _Document:
    def __init__(self) -> None:
        self._comments = proto_comments.load()
        self._schemas = Schemas(self._comments)

    def build(self, title: str, rpcs: Sequence[Rpc]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        services = {}
        for rpc in rpcs:
            if rule := http_rule(rpc.method):
                service = rpc.method.containing_service
                services[service.name] = self._comments.get(service.full_name, "")
                paths.setdefault(_path(rule), {})[rule.verb.lower()] = self._operation(rpc, rule)
        return {
            "openapi": "3.1.0",
            "info": {"title": f"eshop {title}", "version": os.environ.get("ESHOP_VERSION", "dev")},
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": text} for name, text in services.items()],
            "paths": paths,
            "components": {"schemas": self._schemas.components, "responses": self._error_responses()},
        }

    def _operation(self, rpc: Rpc, rule: HttpRule) -> dict[str, Any]:
        service = rpc.method.containing_service.name
        comment = self._comments.get(rpc.method.full_name, "")
        operation: dict[str, Any] = {
            "tags": [service],
            "operationId": f"{service}_{rpc.method.name}",
            "summary": comment.split(". ")[0].split("; ")[0].removesuffix("."),
            "description": comment,
            "responses": {"200": self._answer(rpc, rule), **_error_references(rule)},
        }
        if parameters := self._parameters(rpc, rule):
            operation["parameters"] = parameters
        if rule.reads_body:
            schema = self._schemas.request(descriptor_of(rpc.request), rule.not_in_body)
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        return operation

    def _parameters(self, rpc: Rpc, rule: HttpRule) -> list[dict[str, Any]]:
        found = [self._parameter(field, "path") for field in rule.variables]
        if not rule.reads_body:
            fields = descriptor_of(rpc.request).fields
            found += [self._parameter(field, "query") for field in fields if field not in rule.variables]
        return [*found, _KEY_PARAMETER] if rule.id_field else found

    def _parameter(self, field: FieldDescriptor, place: str) -> dict[str, Any]:
        schema = self._schemas.parameter(field)
        description = schema.pop("description", "")
        parameter: dict[str, Any] = {"name": field.json_name, "in": place, "schema": schema}
        if description:
            parameter["description"] = description
        if place == "path" or is_required(field):
            parameter["required"] = True
        return parameter

    def _answer(self, rpc: Rpc, rule: HttpRule) -> dict[str, Any]:
        data: Any = rule.response_field.message_type if rule.response_field else descriptor_of(rpc.response)
        properties = {"code": {"const": 0}, "msg": {"const": "ok"}, "data": self._schemas.response(data)}
        return _json_response("Done.", properties)

    def _error_responses(self) -> dict[str, Any]:
        """One response for each HTTP status, with the codes that it may carry."""
        responses = {}
        for status, codes in _codes_by_status().items():
            lines = [f"- `{code}` {self._comments.get(f'eshop.errors.v1.{name}', '')}" for code, name in codes]
            properties: dict[str, Schema] = {
                "code": {"type": "integer", "enum": [code for code, _ in codes]},
                "msg": {"type": "string", "description": "A sentence for the caller."},
                "data": _ORDER_ID if status == HTTPStatus.GATEWAY_TIMEOUT else _NOTHING,
            }
            text = f"{HTTPStatus(status).phrase}\n\n" + "\n".join(lines)
            responses[f"Error{status}"] = _json_response(text, properties)
        return responses


def _path(rule: HttpRule) -> str:
    path = rule.path
    for field in rule.variables:
        path = path.replace(f"{{{field.name}}}", f"{{{field.json_name}}}")
    return path


def _codes_by_status() -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    for name, code in errors_pb2.ErrorCode.items():
        if code:
            found.setdefault(code // 100, []).append((code, name))
    return found


def _error_references(rule: HttpRule) -> dict[str, Any]:
    absent = {405}
    if not rule.reads_body:
        absent.add(413)
    if rule.id_field is None:
        absent.add(422)
    if rule.verb == "GET":
        absent |= {409, 504}
    statuses = [status for status in _codes_by_status() if status not in absent]
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


def _json_response(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
