from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Malformed
from services.common.parameters import parser, query_reader
from services.common.pb.eshop.order.v1.order_pb2 import ListRequest, SearchRequest
from services.common.pb.eshop.user.v1.user_pb2 import GetRequest

read_list = query_reader(ListRequest.DESCRIPTOR.fields)


def read(query):
    message = ListRequest()
    read_list(message, query)
    return message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"", ListRequest()),
        (b"page=2&limit=100&sort=-id%2Cname", ListRequest(page=2, limit=100, sort="-id,name")),
        (b"sort=", ListRequest()),
        (b"sort=caf%C3%A9+x", ListRequest(sort="café x")),
        (b"page=4294967295", ListRequest(page=2**32 - 1)),
        (b"page=007", ListRequest(page=7)),
    ],
)
def test_a_query_string(query, message):
    assert read(query) == message


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (b"offset=1", "unknown parameter 'offset'"),
        (b"page=1&page=2", "page: given twice"),
        (b"page=4294967296", "page: expected an integer from 0 to 4294967295"),
        (b"page=-1", "page: expected"),
        (b"page=", "page: expected"),
        (b"page=1.0", "page: expected"),
        (b"page=1_0", "page: expected"),
        (b"page=+1", "page: expected"),
        (b"page=%EF%BC%91", "page: expected"),  # a digit of another alphabet
        (b"page=" + b"9" * 10_000, "page: expected"),
        (b"sort=%FF", "not UTF-8"),
        (b"sort=\xff", "not UTF-8"),
        (b"&".join(b"a=1" for _ in range(200)), "too many parameters"),
    ],
)
def test_a_query_string_that_is_refused(query, error):
    with pytest.raises(Malformed, match=error):
        read(query)


@given(st.binary(max_size=50))
def test_any_query_string_is_read_or_malformed(query):
    try:
        read(query)
    except Malformed as error:
        assert error.message  # noqa: PT017 - both ends are right


def test_a_path_variable():
    parse = parser(GetRequest.DESCRIPTOR.fields_by_name["id"])
    assert parse("18446744073709551615") == 2**64 - 1
    for text in ("18446744073709551616", "-1", "list", "", "1e3"):
        with pytest.raises(Malformed, match="id: expected an integer from 0 to 18446744073709551615"):
            parse(text)


def test_lists_and_messages_have_no_place_in_a_path():
    with pytest.raises(TypeError, match="columns"):
        parser(SearchRequest.DESCRIPTOR.fields_by_name["columns"])
