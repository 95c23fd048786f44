"""OrderConsumer: what happens to each record of a batch, and when the batch comes again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from services.common import flow
from services.common.errors import KeyReused, StockInsufficient, Unavailable, UnknownOutcome
from services.common.pb.eshop.order.v1.branches_pb2 import SOURCE_FLASH_SALE, SOURCE_QUEUE, SOURCE_SUBMIT, NewOrder
from services.order.consumer import OrderConsumer
from tests.unit.order import world


def new_order(**fields):
    return world.new_order(**{"source": SOURCE_QUEUE, **fields})


class Placement:
    """Gives the outcomes that it was made with; None after them."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.orders = []

    async def place(self, orders, patience):
        assert patience is None
        self.orders += orders
        return (self.outcomes + [None] * len(orders))[: len(orders)]


class Publisher:
    def __init__(self, error=None):
        self.sent = []
        self.error = error

    async def publish(self, topic, messages, headers=()):
        if self.error:
            raise self.error
        self.sent += [(topic, key, value, dict(headers)) for key, value in messages]


def record(value, **fields):
    given = {"topic": flow.ORDER_SUBMITTED, "partition": 2, "offset": 41, "key": b"key", "headers": ()}
    return SimpleNamespace(**{**given, "value": value, **fields})


def records(*orders):
    return [record(order.SerializeToString()) for order in orders]


async def test_orders_are_placed_in_their_order():
    placement, orders = Placement(), [new_order(), new_order()]
    await OrderConsumer(placement, Publisher()).handle(records(*orders), False)
    assert placement.orders == orders


async def test_what_may_come_again_is_marked():
    placement = Placement()
    await OrderConsumer(placement, Publisher()).handle(records(new_order()), True)
    assert placement.orders[0].repeated_call


async def test_a_refused_order_is_done():
    publisher = Publisher()
    await OrderConsumer(Placement(StockInsufficient("gone")), publisher).handle(records(new_order()), False)
    assert publisher.sent == []


@pytest.mark.parametrize("error", [UnknownOutcome("?"), Unavailable("!")])
async def test_an_order_without_an_outcome_brings_the_batch_again(error):
    consumer = OrderConsumer(Placement(None, error), Publisher())
    with pytest.raises(type(error)):
        await consumer.handle(records(new_order(), new_order()), False)


UNREADABLE = {
    "no protobuf": b"\xff\xff",
    "nothing": b"",
    "tombstone": None,
    "no user": new_order(user_id=0).SerializeToString(),
    "no product": new_order(product_id=0).SerializeToString(),
    "no count": new_order(product_count=0).SerializeToString(),
    "no amount": new_order(amount=0).SerializeToString(),
    "no id": new_order(order_id="").SerializeToString(),
    "no source": new_order(source=0).SerializeToString(),
    "a source of tomorrow": new_order(source=99).SerializeToString(),
    "a source that leaves refusals without a row": new_order(source=SOURCE_SUBMIT).SerializeToString(),
    "long id": new_order(order_id="x" * 46).SerializeToString(),
}


@pytest.mark.parametrize("bad", UNREADABLE)
async def test_an_unreadable_record_goes_to_the_dead_letters_and_the_others_are_placed(bad):
    placement, publisher, good = Placement(), Publisher(), new_order()
    batch = [record(UNREADABLE[bad], headers=(("traceparent", b"t"),)), *records(good)]
    await OrderConsumer(placement, publisher).handle(batch, False)
    assert placement.orders == [good]
    [(topic, key, value, headers)] = publisher.sent
    assert (topic, key, value) == ("order.submitted.dlt", "key", UNREADABLE[bad] or b"")
    assert headers.pop("eshop-error")
    assert headers == {"traceparent": b"t", "eshop-code": b"40001", "eshop-source": b"order.submitted/2/41"}


async def test_another_purchase_under_a_known_id_goes_to_the_dead_letters():
    publisher = Publisher()
    await OrderConsumer(Placement(KeyReused("known")), publisher).handle(records(new_order()), False)
    assert publisher.sent[0][3]["eshop-code"] == b"42200"


async def test_a_letter_that_cannot_be_sent_brings_the_batch_again():
    """Before anything is placed, so that nothing is lost."""
    placement = Placement()
    with pytest.raises(Unavailable):
        await OrderConsumer(placement, Publisher(Unavailable("no Kafka"))).handle([record(b"\xff")], False)
    assert placement.orders == []


async def test_a_record_keeps_its_fields():
    placement, order = Placement(), new_order(coupon_id=5, sale_id=6, user_id=2**64 - 1, source=SOURCE_FLASH_SALE)
    await OrderConsumer(placement, Publisher()).handle(records(order), False)
    assert placement.orders == [NewOrder.FromString(order.SerializeToString())]
