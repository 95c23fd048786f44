"""Calls to the participants over gRPC and HTTP, and what their answers mean (DTM's rules)."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import grpc
from yarl import URL

from services.coordinator import metrics

# Round robin finds all pods of a headless Service; short back-offs find a pod that came back.
_CHANNEL_OPTIONS = [
    ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]
_HTTP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Result(enum.Enum):
    """SUCCESS and FAILURE decide a branch; after ONGOING and ERROR it is called again."""

    SUCCESS = "success"
    FAILURE = "failure"
    ONGOING = "ongoing"
    ERROR = "error"


class Answer(NamedTuple):
    """`text` says why not; `code` is set when a gRPC participant failed."""

    result: Result
    text: str = ""
    code: grpc.StatusCode | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Which transaction calls, and how: `timeout` in seconds for each call."""

    gid: str
    trans_type: str
    protocol: str
    headers: Mapping[str, str]
    timeout: int


class BranchCaller:
    """A resource: one channel per gRPC target and one pool of HTTP connections, for the life of the process."""

    name = "branches"

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._methods: dict[str, Any] = {}
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        if self._http:
            await self._http.close()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def check(self) -> None:
        """Participants may be away: that is what retries are for."""

    async def call(self, origin: Origin, url: str, branch_id: str, op: str, payload: bytes) -> Answer:
        """The participant's answer; never raises. An empty URL is a success without a call."""
        if not url:
            return Answer(Result.SUCCESS)
        try:
            if origin.protocol == "http" or url.startswith(("http://", "https://")):
                answer = await self._call_http(origin, url, branch_id, op, payload)
            else:
                answer = await self._call_grpc(origin, url, branch_id, op, payload)
        except Exception as error:  # bad URLs, metadata that gRPC refuses, broken connections
            answer = Answer(Result.ERROR, f"{type(error).__name__}: {error}")
        metrics.count_branch(origin.trans_type, branch_id, op, answer.result is Result.SUCCESS)
        return answer

    async def _call_grpc(self, origin: Origin, url: str, branch_id: str, op: str, payload: bytes) -> Answer:
        method = self._methods.get(url) or self._make_method(url)
        metadata = [
            ("dtm-gid", origin.gid),
            ("dtm-trans_type", origin.trans_type),
            ("dtm-branch_id", branch_id),
            ("dtm-op", op),
            ("dtm-dtm", ""),
            *((key.lower(), value) for key, value in origin.headers.items()),
        ]
        try:
            await method(payload, timeout=origin.timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return classify_grpc(error.code(), error.details() or "")
        return Answer(Result.SUCCESS)

    def _make_method(self, url: str) -> Any:
        target, slash, path = url.partition("/")
        if not slash or "://" in url:
            raise ValueError(f"{url} is not host:port/package.Service/Method")
        channel = self._channels.get(target)
        if channel is None:
            channel = self._channels[target] = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        method = self._methods[url] = channel.unary_unary(slash + path)
        return method

    async def _call_http(self, origin: Origin, url: str, branch_id: str, op: str, payload: bytes) -> Answer:
        assert self._http is not None, "open() comes first"  # noqa: S101
        query = urlencode({"branch_id": branch_id, "gid": origin.gid, "op": op, "trans_type": origin.trans_type})
        full = URL(f"{url}{'&' if '?' in url else '?'}{query}", encoded=True)
        async with self._http.request(
            "POST" if payload else "GET",
            full,
            data=payload or None,
            headers={**_HTTP_HEADERS, **origin.headers},
            timeout=aiohttp.ClientTimeout(total=origin.timeout),
        ) as response:
            return classify_http(response.status, await response.text(errors="replace"))


def classify_http(status: int, body: str) -> Answer:
    if status == 425 or "ONGOING" in body:
        return Answer(Result.ONGOING, body)
    if status == 409 or "FAILURE" in body:
        return Answer(Result.FAILURE, body)
    if status != 200:
        return Answer(Result.ERROR, f"HTTP status {status}: {body}")
    return Answer(Result.SUCCESS)


def classify_grpc(code: grpc.StatusCode, details: str) -> Answer:
    """What a status other than OK means."""
    if code is grpc.StatusCode.FAILED_PRECONDITION or (code is grpc.StatusCode.ABORTED and details == "ONGOING"):
        return Answer(Result.ONGOING, details, code)
    if code is grpc.StatusCode.ABORTED:
        return Answer(Result.FAILURE, details, code)
    return Answer(Result.ERROR, f"{code.name}: {details}", code)


def refusal(url: str, text: str) -> str:
    """The rollback reason of a branch that answered FAILURE."""
    return f"url:{url} return failed: {text.removesuffix(' FAILURE')} FAILURE"
