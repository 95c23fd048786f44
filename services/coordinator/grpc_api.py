"""DTM's gRPC API (`dtmgimp.Dtm`): parsing and status codes; what it does is in coordinator.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import msgspec
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.empty_pb2 import Empty

from services.common.errors import ShopError
from services.common.grpc_server import Handler
from services.common.pb.dtmgimp import dtm_pb2
from services.coordinator import metrics
from services.coordinator.coordinator import Coordinator, Fault, Refused, Request, Undecided, UnknownGid, new_gid
from services.coordinator.topics import TopicError, Topics
from services.coordinator.transaction import Options

log = structlog.get_logger()

SERVICE = dtm_pb2.DESCRIPTOR.services_by_name["Dtm"]

_read_steps = msgspec.json.Decoder(list[dict[str, str]]).decode
_EMPTY = Empty()


class DtmService:
    """One method for each RPC; transactions other than sagas and messages are left to the original DTM."""

    def __init__(self, coordinator: Coordinator, topics: Topics) -> None:
        self._coordinator = coordinator
        self._topics = topics

    async def new_gid(self, _: Empty) -> dtm_pb2.DtmGidReply:
        return dtm_pb2.DtmGidReply(Gid=new_gid())

    async def prepare(self, request: dtm_pb2.DtmRequest) -> Empty:
        await self._coordinator.prepare(_request(request))
        return _EMPTY

    async def submit(self, request: dtm_pb2.DtmRequest) -> Empty:
        await self._coordinator.submit(_request(request))
        return _EMPTY

    async def abort(self, request: dtm_pb2.DtmRequest) -> Empty:
        await self._coordinator.abort(request.Gid)
        return _EMPTY

    async def subscribe(self, request: dtm_pb2.DtmTopicRequest) -> Empty:
        await self._topics.subscribe(request.Topic, request.URL, request.Remark)
        return _EMPTY

    async def unsubscribe(self, request: dtm_pb2.DtmTopicRequest) -> Empty:
        await self._topics.unsubscribe(request.Topic, request.URL)
        return _EMPTY

    async def delete_topic(self, request: dtm_pb2.DtmTopicRequest) -> Empty:
        await self._topics.delete(request.Topic)
        return _EMPTY

    async def register_branch(self, request: dtm_pb2.DtmBranchRequest) -> Empty:
        raise ValueError(f"unknow trans type: {request.TransType}")

    async def prepare_workflow(self, request: dtm_pb2.DtmRequest) -> dtm_pb2.DtmProgressesReply:
        raise ValueError(f"unknow trans type: {request.TransType}")

    def handlers(self) -> dict[MethodDescriptor, Handler]:
        methods: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "NewGid": self.new_gid,
            "Prepare": self.prepare,
            "Submit": self.submit,
            "Abort": self.abort,
            "Subscribe": self.subscribe,
            "Unsubscribe": self.unsubscribe,
            "DeleteTopic": self.delete_topic,
            "RegisterBranch": self.register_branch,
            "PrepareWorkflow": self.prepare_workflow,
        }
        return {SERVICE.methods_by_name[name]: _serve(name.lower(), method) for name, method in methods.items()}


def _serve(api: str, method: Callable[[Any], Awaitable[Any]]) -> Handler:
    async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        with metrics.count_request("grpc", api):
            try:
                return await method(request)
            except Exception as error:
                code = _status(error)
                if code is grpc.StatusCode.INTERNAL and not isinstance(error, ValueError | UnknownGid | Fault):
                    log.exception("call failed", api=api)
                await context.abort(code, str(error))

    return handle


def _status(error: Exception) -> grpc.StatusCode:
    if isinstance(error, Refused):
        return grpc.StatusCode.ABORTED
    if isinstance(error, Undecided):
        return error.code or grpc.StatusCode.UNKNOWN
    if isinstance(error, ShopError | TopicError):
        return grpc.StatusCode.UNKNOWN
    return grpc.StatusCode.INTERNAL


def _request(message: dtm_pb2.DtmRequest) -> Request:
    options = message.TransOptions
    try:
        steps = _read_steps(message.Steps) if message.Steps else []
    except msgspec.MsgspecError as error:
        raise ValueError(f"Steps: {error}") from None
    return Request(
        gid=message.Gid,
        trans_type=message.TransType,
        steps=steps,
        payloads=message.BinPayloads,
        query_prepared=message.QueryPrepared,
        custom_data=message.CustomedData,
        protocol="grpc",
        options=Options(
            wait_result=options.WaitResult,
            timeout_to_fail=options.TimeoutToFail,
            retry_interval=options.RetryInterval,
            branch_headers=dict(options.BranchHeaders),
            request_timeout=options.RequestTimeout,
            retry_limit=options.RetryLimit,
            concurrent=False,
        ),
    )
