"""A process that stops ends each connection with the answer it sends last."""

from __future__ import annotations

import pytest

from services.common.http_server import farewell


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b""})


async def headers(stopping, version="1.1"):
    sent = []

    async def send(message):
        sent.append(message)

    await farewell(app, lambda: stopping)({"type": "http", "http_version": version}, None, send)
    return dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("stopping", "version", "ends"), [(False, "1.1", False), (True, "1.1", True), (True, "2", False)]
)
async def test_connections_end_while_the_process_stops(stopping, version, ends):
    found = await headers(stopping, version)
    assert found[b"a"] == b"b"
    assert (found.get(b"connection") == b"close") == ends
