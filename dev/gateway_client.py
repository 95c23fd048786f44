"""The gateway as the demo calls it: JSON in, the answer's HTTP status, code, message and data out."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`code` is 0 where all went well; `data` is what was asked for."""

    status: int
    code: int
    message: str
    data: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "200 ok" if self.status == 200 else f"{self.status} {self.code} {self.message}"


class Gateway:
    """`url` without a path. OSError: nobody answers."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port, self._timeout = parts.hostname or "", parts.port, timeout

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Answer:
        """`key` is an Idempotency-Key."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def get(self, path: str) -> Answer:
        return self._call("GET", path, None, {})

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, f"/api/v1/{path}", body, headers)
            response = connection.getresponse()
            envelope = json.loads(response.read())
            return Answer(response.status, envelope["code"], envelope["msg"], envelope["data"])
        finally:
            connection.close()
