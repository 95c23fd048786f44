"""The REST app on the two real servers: bodies that are too large, slow or cut off, as a network brings them."""

from __future__ import annotations

import asyncio
import json
import logging
import socket

import pytest
from structlog.testing import capture_logs

from services.common import http_server
from services.common.settings import ProcessSettings
from tests.unit.common.shop import SUBMIT, Shop, app_of

MEGABYTE = 1024 * 1024


@pytest.fixture(params=["hypercorn", "uvicorn"])
async def served(request):
    """The shop behind a server, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ProcessSettings(http_host="127.0.0.1", http_port=port, http_server=request.param, grace_seconds=2)
    shop, stopping = Shop(), asyncio.Event()
    serving = asyncio.create_task(http_server.serve(app_of(shop), settings, stopping))
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    yield shop, port
    stopping.set()
    await serving


def head(path="/api/v1/order/submit", *lines):
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: test", *lines, "", ""]).encode()


async def answer_of(reader):
    """Status, headers and body of the next answer of a connection."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    return int(first.split()[1]), headers, json.loads(await reader.readexactly(int(headers["content-length"])))


async def exchange(port, *parts):
    """Sends all parts, then reads, as most clients do."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(answer_of(reader), 10)
    writer.close()
    return answer


async def test_requests_share_a_connection(served):
    shop, port = served
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(head("/api/v1/order/submit", f"content-length: {len(SUBMIT)}") + SUBMIT)
        status, _, body = await answer_of(reader)
        assert (status, body["code"]) == (200, 0)
    writer.close()
    assert len(shop.requests) == 3


async def test_ten_megabytes_announced(served):
    shop, port = served
    body = b"x" * (10 * MEGABYTE)
    status, headers, answer = await exchange(port, head("/api/v1/order/submit", f"content-length: {len(body)}"), body)
    assert (status, answer["code"], headers["connection"]) == (413, 41300, "close")
    assert not shop.requests


async def test_ten_megabytes_in_chunks(served):
    shop, port = served
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    parts = [head("/api/v1/order/submit", "transfer-encoding: chunked"), *[chunk] * 160, b"0\r\n\r\n"]
    status, _, answer = await exchange(port, *parts)
    assert (status, answer["code"]) == (413, 41300)
    assert not shop.requests


async def test_a_client_that_asks_first_is_answered_before_it_sends(served):
    """With `Expect: 100-continue`, as curl does for large bodies. Hypercorn tells it to go on first."""
    _, port = served
    lines = (f"content-length: {10 * MEGABYTE}", "expect: 100-continue")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("/api/v1/order/submit", *lines))
    text = await asyncio.wait_for(reader.readuntil(b"}"), 2)
    writer.close()
    assert b"HTTP/1.1 413 " in text


async def test_a_client_that_leaves_in_its_body_leaves_no_trace(served, caplog):
    shop, port = served
    caplog.set_level(logging.INFO)
    with capture_logs() as logs:
        for length, part in ((len(SUBMIT), SUBMIT[:20]), (len(SUBMIT), b""), (10 * MEGABYTE, b"x" * MEGABYTE)):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("/api/v1/order/submit", f"content-length: {length}") + part)
            await writer.drain()
            writer.transport.abort()
        await asyncio.sleep(0.3)
    assert (shop.requests, logs) == ([], [])
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


async def test_a_client_that_leaves_before_its_answer_leaves_no_trace(served, caplog):
    shop, port = served
    shop.held = asyncio.Event()
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("/api/v1/order/submit", f"content-length: {len(SUBMIT)}") + SUBMIT)
        await asyncio.sleep(0.2)
        assert shop.requests
        writer.transport.abort()
        await asyncio.sleep(0.1)
        shop.held.set()
        await asyncio.sleep(0.2)
    assert logs == []
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
