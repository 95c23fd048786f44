"""Calls an ASGI app without a server: one request in, one answer out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    messages: list[dict] = field(default_factory=list)
    reads: int = 0  # of the body
    reads_before_answer: int = 0

    @property
    def json(self):
        return json.loads(self.body)


async def request(app, method, path, body=b"", *, query="", headers=(), chunks=None, length=None):
    """`chunks` are the body in parts, None among them a client that leaves; `length` is another Content-Length."""
    parts = list(chunks) if chunks is not None else [body]
    given = [(b"host", b"test"), *((name.encode(), value.encode()) for name, value in headers)]
    if chunks is None or length is not None:
        given.append((b"content-length", str(len(body) if length is None else length).encode()))
    answer = Answer()

    async def receive():
        answer.reads += 1
        if not parts:  # the body is over; servers say more when the client leaves
            await asyncio.Event().wait()
        if parts[0] is None:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        answer.messages.append(message)
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.reads_before_answer = answer.reads
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}
    await app({**scope, "root_path": ""}, receive, send)
    return answer
