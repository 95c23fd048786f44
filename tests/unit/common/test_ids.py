from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from services.common.ids import derived_id, may_be_repeated, new_id


def test_a_new_id_is_a_ulid_of_now():
    before = int(time.time() * 1000)
    found = ULID.from_str(new_id())
    assert before <= int(found.milliseconds) <= int(time.time() * 1000)


def test_new_ids_differ_and_follow_time():
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    times = [one[:10] for one in ids]
    assert times == sorted(times)


def test_a_derived_id_is_pinned():
    """Orders placed before an upgrade must be found by the same key after it."""
    assert derived_id("eshop.order.v1.OrderService.Submit", "1", "key") == "KHGJREQKPVFWWZJZC4TBXXXYQ0"


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_derived_ids_are_equal_for_equal_parts_alone(some, others):
    assert (derived_id(*some) == derived_id(*others)) == (some == others)
    assert re.fullmatch("K[0-9A-HJKMNP-TV-Z]{25}", derived_id(*some))


def test_ids_that_callers_may_send_again():
    assert not may_be_repeated(new_id())
    assert may_be_repeated(derived_id("a"))
    assert may_be_repeated("order-of-another-system")
