from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Malformed
from services.common.json_codec import INT_RANGES, decoder, encoder
from services.common.pb.dtmgimp import dtm_pb2
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.query.v1 import query_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.common.pb.eshop.user.v1 import user_pb2

MESSAGES = [
    order_pb2.SubmitRequest,  # plain fields
    order_pb2.SubmitManyRequest,  # repeated messages
    order_pb2.SubmitManyResponse,  # a oneof, an enum
    order_pb2.DeleteResponse,  # no field
    user_pb2.GetResponse,  # a message within a message
    user_pb2.UpdateRequest,  # fields with presence
    coupon_pb2.LookRequest,  # repeated numbers
    stock_pb2.LookResponse,  # a map
    dtm_pb2.DtmRequest,  # a map of strings, bytes
]


def messages(message_type):
    """A strategy for whole messages; absent fields too."""
    return st.fixed_dictionaries({}, optional=_fields(message_type.DESCRIPTOR)).map(lambda given: message_type(**given))


def _fields(descriptor):
    return {field.name: _values(field) for field in descriptor.fields}


def _values(field):
    if field.message_type and field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        return st.dictionaries(_one(entry["key"]), _one(entry["value"]), max_size=3)
    return st.lists(_one(field), max_size=3) if field.is_repeated else _one(field)


def _one(field):
    if field.message_type:
        return st.fixed_dictionaries({}, optional=_fields(field.message_type))
    if field.enum_type:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.cpp_type in INT_RANGES:
        return st.integers(*INT_RANGES[field.cpp_type])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary()
    return st.booleans() if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else st.text()


@pytest.mark.parametrize("message_type", MESSAGES, ids=lambda kind: kind.DESCRIPTOR.full_name)
def test_what_is_written_is_read_again(message_type):
    decode, encode = decoder(message_type), encoder(message_type)

    @given(messages(message_type))
    def round_trip(message):
        text = encode(message)
        assert decode(text) == message
        assert list(json.loads(text)) == [field.json_name for field in message_type.DESCRIPTOR.fields]

    round_trip()


@given(messages(order_pb2.SubmitRequest))
def test_protobufs_own_json_is_understood_where_numbers_are_numbers(message):
    """An independent writer: protobuf's mapping differs in 64-bit numbers and absent fields alone."""
    given = json_format.MessageToDict(message)
    numbers = {
        name: int(value) if name.endswith("ID") and name != "orderID" else value for name, value in given.items()
    }
    assert decoder(order_pb2.SubmitRequest)(json.dumps(numbers).encode()) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON is malformed: it ends too early"),
        (b'{"amount":1', "JSON is malformed: it ends too early"),
        (b"[]", "Expected object, got array"),
        (b"null", "Expected object, got null"),
        (b"{}x", "JSON is malformed: trailing characters (byte 3)"),
        (b'\xef\xbb\xbf{"amount":1}', "JSON is malformed: invalid character (byte 0)"),
        (b'{"amount":NaN}', "JSON is malformed: invalid character (byte 10)"),
        (b'{"amount":Infinity}', "JSON is malformed: invalid character (byte 10)"),
        (b'{"amount":01}', "JSON is malformed: invalid number (byte 11)"),
        (b'{"amount":-1}', "amount: expected integer >= 0"),
        (b'{"amount":4294967296}', "amount: expected integer <= 4294967295"),
        (b'{"userID":18446744073709551616}', "userID: expected integer <= 18446744073709551615"),
        (b'{"userID":' + b"9" * 400 + b"}", "userID: expected integer <= 18446744073709551615"),
        (b'{"userID":' + b"9" * 9000 + b"}", "userID: integer value out of range"),
        (b'{"userID":-1}', "userID: expected integer >= 0"),
        (b'{"amount":1.5}', "amount: expected integer, got number"),
        (b'{"amount":1e400}', "amount: number out of range"),
        (b'{"amount":"1"}', "amount: expected integer, got string"),
        (b'{"amount":true}', "amount: expected integer, got boolean"),
        (b'{"amount":null}', "amount: expected integer, got null"),
        (b'{"amount":{}}', "amount: expected integer, got object"),
        (b'{"orderID":1}', "orderID: expected string, got integer"),
        (b'{"user_id":1}', "unknown field user_id"),
        (b'{"extra":1}', "unknown field extra"),
        (b'{"' + b"x" * 9000 + b'":1}', "unknown field " + "x" * 186),
        (b'{"orderID":"\xff"}', "the body is not UTF-8"),
        (b'{"\xff":1}', "the body is not UTF-8"),
        (b'{"orderID":"\\ud800"}', "JSON is malformed: it ends too early"),
    ],
)
def test_what_cannot_be_read(body, message):
    with pytest.raises(Malformed) as error:
        decoder(order_pb2.SubmitRequest)(body)
    assert error.value.message == message


def test_deep_nesting():
    decode = decoder(query_pb2.Column)
    for depth in (40, 100_000):
        with pytest.raises(Malformed, match="nested too deeply"):
            decode(b'{"value":' + b"[" * depth + b"]" * depth + b"}")
    with pytest.raises(Malformed):
        decoder(order_pb2.SubmitRequest)(b'{"amount":' * 100_000)


def test_errors_inside_lists_name_the_place():
    with pytest.raises(Malformed, match=r"columns\[0\].name: expected string, got integer"):
        decoder(order_pb2.SearchRequest)(b'{"columns":[{"name":1}]}')
    with pytest.raises(Malformed, match=r"columns\[0\]: unknown field x"):
        decoder(order_pb2.SearchRequest)(b'{"columns":[{"x":1}]}')


def test_the_last_of_equal_names_counts():
    assert decoder(order_pb2.SubmitRequest)(b'{"amount":1,"amount":2}').amount == 2


def test_fields_that_come_from_elsewhere_are_unknown():
    with pytest.raises(Malformed, match="unknown field orderID"):
        decoder(order_pb2.SubmitRequest, without={"order_id"})(b'{"orderID":"x"}')


def test_presence():
    decode = decoder(user_pb2.UpdateRequest)
    assert not decode(b"{}").HasField("age")
    assert not decode(b'{"age":null}').HasField("age")
    assert decode(b'{"age":0}').HasField("age")
    with pytest.raises(Malformed, match="age: expected integer or null, got string"):
        decode(b'{"age":"0"}')


def test_a_oneof_takes_one_member():
    decode = decoder(order_pb2.SubmitResult)
    assert decode(b'{"response":{"orderID":"a"},"error":null}').response.order_id == "a"
    with pytest.raises(Malformed, match="only one of response, error"):
        decode(b'{"response":{},"error":{}}')


@pytest.mark.parametrize(
    "given", [None, True, 0, -1.5, 2**53, "x", [], {}, [1, [None, {"a": False}]], {"a": {"b": [1]}}]
)
def test_any_value(given):
    message = decoder(query_pb2.Column)(json.dumps({"value": given}).encode())
    assert message.HasField("value")
    assert json.loads(encoder(query_pb2.Column)(message))["value"] == given
    assert json_format.MessageToDict(message).get("value") == given


def test_an_absent_value_is_not_null():
    assert not decoder(query_pb2.Column)(b"{}").HasField("value")


def test_a_number_that_a_value_cannot_hold():
    with pytest.raises(Malformed, match="as a string"):
        decoder(query_pb2.Column)(b'{"value":9007199254740993}')


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_malformed(body):
    for decode in (decoder(order_pb2.SubmitRequest), decoder(order_pb2.SearchRequest)):
        try:
            decode(body)
        except Malformed as error:
            assert error.message  # noqa: PT017 - both ends are right


def test_recursive_messages_are_refused_at_start():
    from google.protobuf import descriptor_pb2

    with pytest.raises(TypeError, match="contains itself"):
        decoder(descriptor_pb2.DescriptorProto)
    with pytest.raises(TypeError, match="contains itself"):
        encoder(descriptor_pb2.DescriptorProto)
