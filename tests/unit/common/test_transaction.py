"""The requests of a saga and of a two-phase message, as DTM reads them."""

from __future__ import annotations

import json

import pytest

from services.common.dtm.transaction import PAYLOAD_LIMIT, Step, message, saga
from services.common.errors import ShopError
from services.common.flow import Branch
from services.common.pb.eshop.order.v1.branches_pb2 import CreateOrdersRequest, NewOrder

STOCK = Branch("stock", "shop.Stock/Deduct", "shop.Stock/Return")
ORDER = Branch("order", "shop.Order/Create", "shop.Order/Delete")
PUBLISH = Branch("order", "shop.Order/Publish")
ADDRESSES = {"stock": "stock:1", "order": "order:2"}
PAYLOAD = NewOrder(order_id="one")


def test_a_saga():
    request = saga("gid", [Step(STOCK, PAYLOAD), Step(ORDER, PAYLOAD, after=[0])], ADDRESSES, {"traceparent": "t"})
    assert (request.Gid, request.TransType) == ("gid", "saga")
    assert json.loads(request.Steps) == [
        {"action": "stock:1/shop.Stock/Deduct", "compensate": "stock:1/shop.Stock/Return"},
        {"action": "order:2/shop.Order/Create", "compensate": "order:2/shop.Order/Delete"},
    ]
    assert json.loads(request.CustomedData) == {"orders": {"1": [0]}, "concurrent": True}
    assert [NewOrder.FromString(payload) for payload in request.BinPayloads] == [PAYLOAD, PAYLOAD]
    options = request.TransOptions
    assert (options.WaitResult, options.TimeoutToFail, options.RetryInterval) == (True, 0, 1)
    assert dict(options.BranchHeaders) == {"traceparent": "t"}


def test_a_message():
    request = message("gid", [Step(PUBLISH, PAYLOAD)], PUBLISH, ADDRESSES)
    assert request.TransType == "msg"
    assert request.QueryPrepared == "order:2/shop.Order/Publish"
    assert json.loads(request.Steps) == [{"action": "order:2/shop.Order/Publish"}]
    assert request.TransOptions.TimeoutToFail > 0
    assert not request.TransOptions.WaitResult


def test_a_payload_that_dtms_store_would_cut_is_an_error():
    order = NewOrder(order_id="x" * 40)
    fits = CreateOrdersRequest(orders=[order] * (PAYLOAD_LIMIT // (order.ByteSize() + 2)))
    saga("gid", [Step(ORDER, fits)], ADDRESSES)
    fits.orders.append(order)
    with pytest.raises(ShopError, match="65535 fit"):
        saga("gid", [Step(ORDER, fits)], ADDRESSES)
