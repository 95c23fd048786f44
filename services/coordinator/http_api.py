"""DTM's HTTP API (`/api/dtmsvr/…`): parsing and status codes; what it does is in coordinator.py."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.common.errors import ShopError
from services.coordinator import metrics
from services.coordinator.coordinator import Coordinator, Fault, Refused, Request, Undecided, UnknownGid, new_gid
from services.coordinator.store import Filter, Store
from services.coordinator.topics import TopicError, Topics
from services.coordinator.transaction import Options

log = structlog.get_logger()

VERSION = f"eshop {os.environ.get('ESHOP_VERSION', 'dev')}"
_SUCCESS = {"dtm_result": "SUCCESS"}
_FORBIDDEN_IN_GID = str.maketrans("", "", "\n\r;")
_PAGE = 100
_MAX_BODY = 4 * 1024 * 1024  # as gRPC has it
# Logged where they arise, or the caller's own fault.
_EXPECTED = ValueError | ShopError | TopicError | UnknownGid | Fault | Undecided

Handler = Callable[[HttpRequest], Awaitable[Any]]


class _Body(Options):
    """A transaction as DTM's clients send it; unknown fields are ignored."""

    gid: str = ""
    trans_type: str = ""
    steps: list[dict[str, str]] = msgspec.field(default_factory=list)
    payloads: list[str] = msgspec.field(default_factory=list)
    query_prepared: str = ""
    custom_data: str = ""
    protocol: str = ""
    concurrent: bool | None = None


def _read_body(body: bytes) -> _Body:
    """Null counts as left out: clients in other languages send it."""
    fields = msgspec.json.decode(body, type=dict[str, Any])
    return msgspec.convert({name: value for name, value in fields.items() if value is not None}, _Body)


class HttpApi:
    """One method for each path."""

    def __init__(self, coordinator: Coordinator, topics: Topics, store: Store, reset_after: int) -> None:
        self._coordinator = coordinator
        self._topics = topics
        self._store = store
        self._reset_after = reset_after

    def routes(self) -> list[BaseRoute]:
        by_method: dict[str, dict[str, Handler]] = {
            "GET": {
                "version": self.version,
                "newGid": self.new_gid,
                "query": self.query,
                "all": self.all,
                "resetCronTime": self.reset_cron_time,
                "subscribe": self.subscribe,
                "unsubscribe": self.unsubscribe,
                "queryKV": self.query_kv,
                "scanKV": self.scan_kv,
            },
            "POST": {
                "prepare": self.prepare,
                "submit": self.submit,
                "abort": self.abort,
                "forceStop": self.force_stop,
                "resetNextCronTime": self.reset_next_cron_time,
                "registerBranch": self.refuse_type,
                "registerXaBranch": self.refuse_type,
                "registerTccBranch": self.refuse_type,
                "prepareWorkflow": self.refuse_type,
            },
        }
        routes: list[BaseRoute] = [
            Route(f"/api/dtmsvr/{name}", _serve(name.lower(), handler), methods=[method])
            for method, handlers in by_method.items()
            for name, handler in handlers.items()
        ]
        return [
            *routes,
            Route("/api/dtmsvr/topic/{name:path}", _serve("topic", self.delete_topic), methods=["DELETE"]),
            Route("/api/ping", _ping, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
            Route("/api/metrics", _metrics),
        ]

    async def version(self, _: HttpRequest) -> Any:
        return {"version": VERSION}

    async def new_gid(self, _: HttpRequest) -> Any:
        return {**_SUCCESS, "gid": new_gid()}

    async def prepare(self, http: HttpRequest) -> Any:
        await self._coordinator.prepare(_request(await _body(http)))
        return _SUCCESS

    async def submit(self, http: HttpRequest) -> Any:
        await self._coordinator.submit(_request(await _body(http)))
        return _SUCCESS

    async def abort(self, http: HttpRequest) -> Any:
        await self._coordinator.abort(_gid(await _body(http)))
        return _SUCCESS

    async def force_stop(self, http: HttpRequest) -> Any:
        await self._coordinator.force_stop(_gid(await _body(http)))
        return _SUCCESS

    async def reset_next_cron_time(self, http: HttpRequest) -> Any:
        await self._coordinator.retry_now(_gid(await _body(http)))
        return _SUCCESS

    async def refuse_type(self, http: HttpRequest) -> Any:
        raise ValueError(f"unknow trans type: {_read_body(await _body(http)).trans_type}")

    async def query(self, http: HttpRequest) -> Any:
        gid = http.query_params.get("gid", "")
        if not gid:
            raise ValueError("no gid specified")
        stored = await self._coordinator.query(gid)
        return {"branches": stored.branches if stored else [], "transaction": stored.trans if stored else None}

    async def all(self, http: HttpRequest) -> Any:
        query = http.query_params
        if gid := query.get("gid", ""):
            stored = await self._coordinator.query(gid)
            return {"next_position": "", "transactions": [stored.trans] if stored else None}
        wanted = Filter(
            query.get("status", ""),
            query.get("transType", ""),
            _moment(query.get("createTimeStart", "")),
            _moment(query.get("createTimeEnd", "")),
        )
        found, position = await self._coordinator.list_transactions(query.get("position", ""), _limit(http), wanted)
        return {"next_position": position, "transactions": found}

    async def reset_cron_time(self, http: HttpRequest) -> Any:
        later_than = int(http.query_params.get("timeout") or self._reset_after)
        count, more = await self._coordinator.retry_all_now(later_than, _limit(http))
        return {"has_remaining": more, "succeed_count": count}

    async def subscribe(self, http: HttpRequest) -> Any:
        query = http.query_params
        await self._topics.subscribe(query.get("topic", ""), query.get("url", ""), query.get("remark", ""))
        return _SUCCESS

    async def unsubscribe(self, http: HttpRequest) -> Any:
        await self._topics.unsubscribe(http.query_params.get("topic", ""), http.query_params.get("url", ""))
        return _SUCCESS

    async def delete_topic(self, http: HttpRequest) -> Any:
        await self._topics.delete(http.path_params["name"])
        return _SUCCESS

    async def query_kv(self, http: HttpRequest) -> Any:
        value = await self._store.get_value(http.query_params.get("cat", ""), http.query_params.get("key", ""))
        return {"kv": [value] if value else []}

    async def scan_kv(self, http: HttpRequest) -> Any:
        query = http.query_params
        found, position = await self._store.list_values(query.get("cat", ""), query.get("position", ""), _limit(http))
        return {"kv": found, "next_position": position}


def _serve(api: str, handler: Handler) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def serve(http: HttpRequest) -> Response:
        try:
            with metrics.count_request("http", api):
                return _json(200, await handler(http))
        except Refused as error:
            return _json(409, {"dtm_result": "FAILURE", "message": str(error)})
        except Exception as error:
            if not isinstance(error, _EXPECTED):
                log.exception("request failed", api=api)
            return _json(500, {"message": str(error)})

    return serve


async def _body(http: HttpRequest) -> bytes:
    chunks, size = [], 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > _MAX_BODY:
            raise ValueError(f"the body is larger than {_MAX_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _json(status: int, body: Any) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def _ping(_: HttpRequest) -> Response:
    return _json(200, {"msg": "pong"})


async def _metrics(_: HttpRequest) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _gid(body: bytes) -> str:
    return _read_body(body).gid.translate(_FORBIDDEN_IN_GID)


def _request(body: bytes) -> Request:
    sent = _read_body(body)
    # Steps of old clients carry their payload themselves; it counts after those of `payloads`.
    payloads = [*sent.payloads, *(step["data"] for step in sent.steps if step.get("data"))]
    return Request(
        gid=sent.gid.translate(_FORBIDDEN_IN_GID),
        trans_type=sent.trans_type,
        steps=sent.steps,
        payloads=[payload.encode() for payload in payloads],
        query_prepared=sent.query_prepared,
        custom_data=sent.custom_data,
        protocol=sent.protocol or "http",
        options=Options(
            wait_result=sent.wait_result,
            timeout_to_fail=sent.timeout_to_fail,
            retry_interval=sent.retry_interval,
            branch_headers=sent.branch_headers,
            request_timeout=sent.request_timeout,
            retry_limit=sent.retry_limit,
            concurrent=bool(sent.concurrent),
        ),
    )


def _limit(http: HttpRequest) -> int:
    return max(1, min(int(http.query_params.get("limit") or _PAGE), 1000))


def _moment(milliseconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None
