"""Dtm: the coordinator under test, spoken to over its two APIs in their own words."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any, NamedTuple

import aiohttp
import grpc

from services.common.pb.dtmgimp import dtm_pb2, dtm_pb2_grpc

from .patience import slack


class Reply(NamedTuple):
    """An answer on either transport: code is 200, 409, 425 or 500; gRPC's own code lies in `status`."""

    code: int
    message: str = ""
    status: grpc.StatusCode | None = None


_HTTP_OF_GRPC = {grpc.StatusCode.ABORTED: 409, grpc.StatusCode.FAILED_PRECONDITION: 425}
_OPTIONS = {
    "wait_result": "WaitResult",
    "timeout_to_fail": "TimeoutToFail",
    "retry_interval": "RetryInterval",
    "request_timeout": "RequestTimeout",
    "retry_limit": "RetryLimit",
    "branch_headers": "BranchHeaders",
}


class Dtm:
    """`http` and `grpc` are `host:port`."""

    def __init__(self, http: str, grpc_address: str) -> None:
        self.url = f"http://{http}/api"
        self.grpc_address = grpc_address
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        self._channel = grpc.aio.insecure_channel(grpc_address)
        self.stub = dtm_pb2_grpc.DtmStub(self._channel)

    async def close(self) -> None:
        await self._session.close()
        await self._channel.close()

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        async with self._session.get(f"{self.url}/{path}", params=query) as response:
            return response.status, await response.json(content_type=None)

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body)
        async with self._session.post(f"{self.url}/dtmsvr/{path}", data=data) as response:
            return response.status, await response.json(content_type=None)

    async def query(self, gid: str) -> Any:
        """Asked again where a store does not answer in time: that says nothing about the transaction."""
        for _ in range(5):
            status, found = await self.get("dtmsvr/query", gid=gid)
            if status == 200:
                break
            await asyncio.sleep(0.5)
        assert status == 200, found
        return found

    async def transaction(self, gid: str) -> Any:
        return (await self.query(gid))["transaction"]

    async def status(self, gid: str) -> str:
        trans = await self.transaction(gid)
        return trans["status"] if trans else ""

    async def rows(self, gid: str) -> list[tuple[str, str, str]]:
        """(branch id, op, status) in the order of execution."""
        return [(row["branch_id"], row["op"], row["status"]) for row in (await self.query(gid))["branches"]]

    async def until(self, gid: str, status: str, timeout: float = 10) -> Any:
        """The transaction, once it has that status and its rows are written."""
        deadline = time.monotonic() + timeout + 3 * slack()
        while True:
            trans = await self.transaction(gid)
            if trans and trans["status"] == status:
                await asyncio.sleep(0.5)
                return await self.transaction(gid)
            assert time.monotonic() < deadline, f"{gid} is {trans and trans['status']}, not {status}"
            await asyncio.sleep(0.1)

    async def until_interval(self, gid: str, seconds: int) -> None:
        """Waits for what a pass writes about the next one."""
        deadline = time.monotonic() + 1.5 + slack()
        while (await self.transaction(gid))["next_cron_interval"] != seconds:
            assert time.monotonic() < deadline, f"{gid}: {await self.transaction(gid)}"
            await asyncio.sleep(0.1)


class Sender:
    """Sends transactions over one transport. Steps are participants' names; `""` leaves a URL empty."""

    def __init__(self, dtm: Dtm, participants: Any, transport: str) -> None:
        self._dtm = dtm
        self.transport = transport
        self.url = participants.http if transport == "http" else participants.grpc

    async def saga(self, gid: str, *names: str, call: str = "submit", **options: Any) -> Reply:
        """Step `1` has the action `a1` and the compensation `c1`."""
        steps = [{"action": self.url(f"a{name}"), "compensate": self.url(f"c{name}")} for name in names]
        return await self.send(call, gid, "saga", steps, **options)

    async def message(self, gid: str, *names: str, call: str = "submit", asks: str = "", **options: Any) -> Reply:
        """Step `1` has the action `a1`; `asks` names the participant that is asked back."""
        steps = [{"action": self.url(f"a{name}")} for name in names]
        return await self.send(call, gid, "msg", steps, query_prepared=self.url(asks) if asks else "", **options)

    async def send(
        self, call: str, gid: str, trans_type: str, steps: list[dict[str, str]], payloads: Any = None, **options: Any
    ) -> Reply:
        payloads = ['{"n":1}'] * len(steps) if payloads is None else payloads
        if isinstance(options.get("custom_data"), dict):
            options["custom_data"] = json.dumps(options["custom_data"])
        if self.transport == "http":
            body = {"gid": gid, "trans_type": trans_type, "steps": steps, "payloads": payloads, **options}
            status, answer = await self._dtm.post(call, body)
            assert ("dtm_result" in answer) == (status != 500), answer
            return Reply(status, answer.get("message", ""))
        request = dtm_pb2.DtmRequest(
            Gid=gid,
            TransType=trans_type,
            Steps=json.dumps(steps),
            BinPayloads=[payload.encode() for payload in payloads],
            QueryPrepared=options.pop("query_prepared", ""),
            CustomedData=options.pop("custom_data", ""),
        )
        for name, value in options.items():
            if isinstance(value, dict):
                request.TransOptions.BranchHeaders.update(value)
            else:
                setattr(request.TransOptions, _OPTIONS[name], value)
        try:
            await getattr(self._dtm.stub, call.capitalize())(request, timeout=60)
        except grpc.aio.AioRpcError as error:
            return Reply(_HTTP_OF_GRPC.get(error.code(), 500), error.details() or "", error.code())
        return Reply(200)


def new_gid(prefix: str = "case") -> str:
    return f"{prefix}-{secrets.token_hex(8)}"
