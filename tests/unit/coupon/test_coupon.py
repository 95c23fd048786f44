"""When a coupon can be used, and the times that it may carry."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest

from services.common.errors import CouponNotUsable, Invalid, OrderInFlight
from services.common.pb.eshop.coupon.v1.branches_pb2 import CouponUse
from services.coupon.branches import _check
from services.coupon.service import _moment

NOW = datetime(2026, 6, 1, 12)
USE = CouponUse(coupon_id=5, user_id=7, order_id="mine", order_amount=100)


def row(**fields):
    return SimpleNamespace(**{"user_id": 7, "status": 1, "order_id": "", "expires_at": None, "amount": 10, **fields})


@pytest.mark.parametrize(
    "fitting", [row(), row(amount=100), row(expires_at=datetime(2026, 6, 1, 12, 0, 0, 1000)), row(amount=1)]
)
def test_a_coupon_that_fits(fitting):
    _check(USE, fitting, NOW)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (None, "does not exist"),
        (row(user_id=8), "is another user's"),
        (row(status=2, order_id="another"), "is used"),
        (row(status=3), "is expired"),
        (row(expires_at=NOW), "is expired"),
        (row(amount=101), "is worth more than the order"),
    ],
)
def test_a_coupon_that_does_not(found, problem):
    with pytest.raises(CouponNotUsable) as caught:
        _check(USE, found, NOW)
    assert caught.value.message == f"coupon 5 {problem}"


def test_a_coupon_that_the_order_has_already():
    """Another saga of the same order: nothing is decided yet."""
    with pytest.raises(OrderInFlight):
        _check(USE, row(status=2, order_id="mine"), NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("2030-01-31T00:00:00Z", datetime(2030, 1, 31)),
        ("2030-01-31T02:00:00+02:00", datetime(2030, 1, 31)),
    ],
)
def test_times(text, moment):
    assert _moment(text) == moment


@pytest.mark.parametrize("text", ["tomorrow", "2030-13-01T00:00:00Z", "1893456000", "9999-12-31T23:59:59-05:00"])
def test_times_that_are_none(text):
    with pytest.raises(Invalid, match="expiresAt"):
        _moment(text)
