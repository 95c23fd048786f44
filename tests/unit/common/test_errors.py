"""Errors keep their code and their sentence over HTTP, gRPC and DTM."""

from __future__ import annotations

import grpc
import pytest

from services.common import errors
from services.common.errors import (
    Conflict,
    NotFound,
    ShopError,
    SoldOut,
    StockInsufficient,
    TooLarge,
    Unavailable,
    UnknownOutcome,
    from_code,
    from_grpc,
    from_reason,
    grpc_status,
    to_reason,
)
from services.common.pb.eshop.errors.v1 import errors_pb2

TREE = list(errors._BY_CODE.values())


def failure(status, details="", code=None):
    metadata = grpc.aio.Metadata(*([(errors.CODE_METADATA, str(code))] if code else []))
    return grpc.aio.AioRpcError(status, grpc.aio.Metadata(), metadata, details=details)


def test_every_code_of_the_protos_has_its_error():
    assert sorted(errors._BY_CODE) == sorted(code for code in errors_pb2.ErrorCode.values() if code)


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_the_status_is_in_the_code(error):
    assert error("x").http_status == error.code // 100
    assert 400 <= error("x").http_status <= 504


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_over_grpc(error):
    sent = error("product 7 is gone")
    got = from_grpc(failure(grpc_status(sent), sent.message, int(sent.code)))
    assert type(got) is error
    assert got.message == "product 7 is gone"


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
@pytest.mark.parametrize("frame", ["{}", "http://stock/deduct returned error: {} FAILURE", "FAILURE: rpc error: {}"])
def test_over_dtm(error, frame):
    got = from_reason(frame.format(to_reason(error("two lines\nof text"))))
    assert type(got) is error
    assert got.message == "two lines\nof text"


def test_a_reason_fits_dtms_column():
    assert len(to_reason(Conflict("x" * 5000))) == 300


@pytest.mark.parametrize("reason", ["", "Timeout after 35 seconds", "[4090] no", "40902 no"])
def test_a_reason_that_holds_no_refusal(reason):
    assert from_reason(reason) is None


def test_in_a_message():
    proto = SoldOut("gone").to_proto()
    assert type(from_code(proto.code, proto.message)) is SoldOut


def test_an_unknown_code_is_a_fault_of_ours():
    assert type(from_code(49999, "x")) is ShopError


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, UnknownOutcome),
        (grpc.StatusCode.CANCELLED, UnknownOutcome),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TooLarge),
        (grpc.StatusCode.INTERNAL, ShopError),
        (grpc.StatusCode.UNIMPLEMENTED, ShopError),
    ],
)
def test_failures_of_the_transport(status, expected):
    assert type(from_grpc(failure(status, "secret internals"))) is expected


def test_a_failure_of_ours_shows_no_internals():
    assert "secret" not in from_grpc(failure(grpc.StatusCode.INTERNAL, "secret internals")).message


def test_only_refusals_for_good_are_conflicts():
    """DTM rolls back on a Conflict and retries everything else."""
    assert issubclass(StockInsufficient, Conflict)
    for error in (NotFound, Unavailable, UnknownOutcome, ShopError):
        assert not issubclass(error, Conflict)
