"""Every error that a caller may see, as one tree, and how each travels over HTTP, gRPC and DTM.

    ShopError                 code 50000: a fault of ours
    ├── Malformed             40000  the body cannot be read
    ├── Invalid               40001  a field breaks a rule
    ├── InvalidQuery          40002  unknown column, operator or order of a list
    ├── NotFound              40400
    ├── MethodNotAllowed      40500
    ├── Conflict              40900  the state of the row forbids the change
    │   ├── SoldOut           40901
    │   ├── StockInsufficient 40902
    │   ├── CouponNotUsable   40903
    │   ├── LimitReached      40904
    │   ├── AlreadyExists     40905
    │   └── OrderInFlight     40906  another transaction of the order is not finished
    ├── TooLarge              41300
    ├── KeyReused             42200  the Idempotency-Key belongs to another request
    ├── Unavailable           50300  nothing was changed; try again
    └── UnknownOutcome        50400  no answer in time; ask with the order id

The code is the HTTP status times 100 plus a detail (`eshop.errors.v1.ErrorCode`). Over gRPC it travels in the trailing
metadata `eshop-code`; in an answer to DTM it leads the message, `[40902] …`, since DTM keeps nothing but that text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import grpc

from services.common.pb.eshop.errors.v1 import errors_pb2

CODE_METADATA = "eshop-code"
_LEADING_CODE = re.compile(r"\[(\d{5})\] (.*?)(?: FAILURE)?$", re.S)
# DTM's MySQL store keeps 1,024 characters of a reason, the branch's URL included.
_REASON_LIMIT = 300


class ShopError(Exception):
    """An error with a code; `message` is a sentence for the caller and holds no secret, `data` what to go on with."""

    code: ClassVar[int] = errors_pb2.ERROR_CODE_INTERNAL

    def __init__(self, message: str, data: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data or {}

    @property
    def http_status(self) -> int:
        return self.code // 100

    def to_proto(self) -> errors_pb2.Error:
        return errors_pb2.Error(code=self.code, message=self.message)  # type: ignore[arg-type]


class Malformed(ShopError):
    code = errors_pb2.ERROR_CODE_MALFORMED


class Invalid(ShopError):
    code = errors_pb2.ERROR_CODE_INVALID


class InvalidQuery(ShopError):
    code = errors_pb2.ERROR_CODE_INVALID_QUERY


class NotFound(ShopError):
    code = errors_pb2.ERROR_CODE_NOT_FOUND


class MethodNotAllowed(ShopError):
    code = errors_pb2.ERROR_CODE_METHOD_NOT_ALLOWED


class Conflict(ShopError):
    code = errors_pb2.ERROR_CODE_CONFLICT


class SoldOut(Conflict):
    code = errors_pb2.ERROR_CODE_SOLD_OUT


class StockInsufficient(Conflict):
    code = errors_pb2.ERROR_CODE_STOCK_INSUFFICIENT


class CouponNotUsable(Conflict):
    code = errors_pb2.ERROR_CODE_COUPON_NOT_USABLE


class LimitReached(Conflict):
    code = errors_pb2.ERROR_CODE_LIMIT_REACHED


class AlreadyExists(Conflict):
    code = errors_pb2.ERROR_CODE_ALREADY_EXISTS


class OrderInFlight(Conflict):
    code = errors_pb2.ERROR_CODE_ORDER_IN_FLIGHT


class TooLarge(ShopError):
    code = errors_pb2.ERROR_CODE_TOO_LARGE


class KeyReused(ShopError):
    code = errors_pb2.ERROR_CODE_KEY_REUSED


class Unavailable(ShopError):
    code = errors_pb2.ERROR_CODE_UNAVAILABLE


class UnknownOutcome(ShopError):
    code = errors_pb2.ERROR_CODE_UNKNOWN_OUTCOME


def _tree(root: type[ShopError]) -> dict[int, type[ShopError]]:
    found = {int(root.code): root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


_BY_CODE = _tree(ShopError)

_GRPC_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.ALREADY_EXISTS,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def from_code(code: int, message: str) -> ShopError:
    """The error of a code; an unknown code becomes a fault of ours."""
    return _BY_CODE.get(code, ShopError)(message)


def grpc_status(error: ShopError) -> grpc.StatusCode:
    return _GRPC_STATUS.get(error.http_status, grpc.StatusCode.INTERNAL)


def from_grpc(error: grpc.aio.AioRpcError, changes: bool = False) -> ShopError:
    """What a failed call to another service means to our caller. `changes`: the call may have had an effect before its
    connection was lost."""
    for key, value in error.trailing_metadata() or ():
        if key == CODE_METADATA:
            return from_code(int(value), error.details() or "")
    status = error.code()
    if status is grpc.StatusCode.UNAVAILABLE and not changes:
        return Unavailable("a service cannot be reached; try again")
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return UnknownOutcome("a service did not answer in time; the outcome is unknown")
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return TooLarge(error.details() or "the message is too large")
    return ShopError(f"a service failed with {status.name}")


def to_reason(error: ShopError) -> str:
    """The text of a branch's refusal; DTM hands it back in the transaction's rollback reason."""
    return f"[{error.code}] {error.message}"[:_REASON_LIMIT]


def from_reason(reason: str) -> ShopError | None:
    """The refusal inside a rollback reason; None where it holds none (time-out, lost, forced)."""
    found = _LEADING_CODE.search(reason)
    return from_code(int(found[1]), found[2]) if found else None
