"""The requests that start a DTM transaction: a saga with branches in parallel, and a two-phase message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from services.common.errors import ShopError
from services.common.flow import Branch
from services.common.pb.dtmgimp import dtm_pb2

# DTM's MySQL store keeps a branch's payload in a BLOB.
PAYLOAD_LIMIT = 65_535
_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Step:
    """A branch with its payload; `after` are the steps, by position from 0, that must have succeeded before."""

    branch: Branch
    payload: Message
    after: Sequence[int] = ()


def saga(
    gid: str, steps: Sequence[Step], addresses: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> dtm_pb2.DtmRequest:
    """A saga that waits for its result and has no time limit: it goes forward until a branch refuses.

    `addresses` give each service's host:port; `headers` travel to every branch.
    """
    orders = {str(index): list(step.after) for index, step in enumerate(steps) if step.after}
    options = dtm_pb2.DtmTransOptions(WaitResult=True, RetryInterval=_RETRY_SECONDS, BranchHeaders=headers or {})
    return dtm_pb2.DtmRequest(
        Gid=gid,
        TransType="saga",
        TransOptions=options,
        CustomedData=json.dumps({"orders": orders, "concurrent": True}, separators=(",", ":")),
        Steps=_steps((step.branch for step in steps), addresses),
        BinPayloads=[_payload(step) for step in steps],
    )


def message(
    gid: str,
    steps: Sequence[Step],
    query_prepared: Branch,
    addresses: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> dtm_pb2.DtmRequest:
    """A two-phase message: the same request prepares, submits and aborts it."""
    options = dtm_pb2.DtmTransOptions(
        TimeoutToFail=10, RetryInterval=_RETRY_SECONDS, RequestTimeout=10, BranchHeaders=headers or {}
    )
    return dtm_pb2.DtmRequest(
        Gid=gid,
        TransType="msg",
        TransOptions=options,
        QueryPrepared=_url(query_prepared.service, query_prepared.action, addresses),
        Steps=_steps((step.branch for step in steps), addresses),
        BinPayloads=[_payload(step) for step in steps],
    )


def _payload(step: Step) -> bytes:
    payload = step.payload.SerializeToString()
    if len(payload) > PAYLOAD_LIMIT:
        raise ShopError(f"the payload of {step.branch.action} has {len(payload)} bytes; {PAYLOAD_LIMIT} fit")
    return payload


def _steps(branches: Iterable[Branch], addresses: Mapping[str, str]) -> str:
    steps = []
    for branch in branches:
        step = {"action": _url(branch.service, branch.action, addresses)}
        if branch.compensation:
            step["compensate"] = _url(branch.service, branch.compensation, addresses)
        steps.append(step)
    return json.dumps(steps, separators=(",", ":"))


def _url(service: str, method: str, addresses: Mapping[str, str]) -> str:
    """DTM dials plain host:port; a scheme would be an error that it retries for ever."""
    return f"{addresses[service]}/{method}"
