"""The body of an HTTP request: read up to a limit, refused beyond it, dropped where nobody wants it."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Receive, Scope

from services.common.errors import Malformed, TooLarge

MAX_BODY = 1024 * 1024
# After a body that is too large: so much more is read and dropped, so that most clients get to read the answer.
_MAX_DROPPED, _DROP_SECONDS = 16 * MAX_BODY, 5
_TOO_LARGE = f"the body is larger than {MAX_BODY} bytes"


class UnreadBody(TooLarge):
    """Too large, and more of it is to come."""


class Disconnected(Exception):
    """The client went away before its request was whole."""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body; Malformed when there is none, TooLarge before more than MAX_BODY bytes are kept."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > MAX_BODY:
            raise UnreadBody(_TOO_LARGE)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_rest(body, receive)
    elif message["type"] == "http.disconnect":
        raise Disconnected
    if len(body) > MAX_BODY:
        raise TooLarge(_TOO_LARGE)
    if not body:
        raise Malformed("the body is empty: expected a JSON object")
    return body


async def drop_body(receive: Receive) -> None:
    """Reads on for a while: a connection closed on unread bytes would take the answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DROP_SECONDS):
            dropped, more = 0, True
            while more and dropped < _MAX_DROPPED:
                message = await receive()
                dropped += len(message.get("body", b""))
                more = message.get("more_body", False)


async def _read_rest(first: bytes, receive: Receive) -> bytes:
    chunks, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        more = message.get("more_body", False)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if more and size > MAX_BODY:
            raise UnreadBody(_TOO_LARGE)
    return b"".join(chunks)
