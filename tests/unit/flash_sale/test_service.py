"""FlashSaleService: an answer for each buyer, and no work for buyers who come too late."""

from __future__ import annotations

import pytest

from services.common import repeats
from services.common.errors import Invalid, LimitReached, SoldOut, Unavailable
from services.common.ids import derived_id, new_id
from services.common.pb.eshop.flash_sale.v1.flash_sale_pb2 import BuyManyRequest, BuyRequest
from services.flash_sale.service import FlashSaleService


class Sale:
    """`left` units; user 13 has reached the limit."""

    def __init__(self, left=10, sold_out=False):
        self.left = left
        self.batches = []
        self._sold_out = sold_out

    def sold_out(self, product_id):
        return self._sold_out

    async def buy(self, requests):
        self.batches.append([request.order_id for request in requests])
        answers = []
        for request in requests:
            if request.user_id == 13:
                answers.append(LimitReached("13"))
            elif self.left:
                self.left -= 1
                answers.append(request.order_id)
            else:
                answers.append(SoldOut("none"))
        return answers


def buy(user=1, product=7, order_id=""):
    return BuyRequest(user_id=user, product_id=product, amount=1, order_id=order_id or new_id())


async def test_one_buyer():
    request = buy()
    assert (await FlashSaleService(Sale(), 2).buy(request)).order_id == request.order_id


async def test_a_refusal_is_raised():
    with pytest.raises(LimitReached):
        await FlashSaleService(Sale(), 2).buy(buy(user=13))


async def test_each_of_many_has_its_own_answer():
    requests = [buy(), buy(user=13), buy(), buy()]
    response = await FlashSaleService(Sale(left=2), 2).buy_many(BuyManyRequest(requests=requests))
    assert [result.error.code or result.response.order_id for result in response.results] == [
        requests[0].order_id,
        40904,
        requests[2].order_id,
        40901,
    ]


async def test_many_are_of_one_product():
    with pytest.raises(Invalid):
        await FlashSaleService(Sale(), 2).buy_many(BuyManyRequest(requests=[buy(), buy(product=8)]))


async def test_sold_out_a_moment_ago_costs_nothing():
    sale = Sale(sold_out=True)
    with pytest.raises(SoldOut):
        await FlashSaleService(sale, 2).buy(buy())
    assert sale.batches == []


async def test_a_key_is_asked_for_even_then():
    """It may be a repeat of a purchase that was accepted."""
    sale, keyed, others = Sale(sold_out=True), buy(order_id=derived_id("key")), [buy(), buy()]
    requests = [others[0], keyed, others[1]]
    response = await FlashSaleService(sale, 2).buy_many(BuyManyRequest(requests=requests))
    assert [result.error.code for result in response.results] == [40901, 0, 40901]
    assert sale.batches == [[keyed.order_id]]


async def test_a_repeated_call_is_asked_for_too():
    sale = Sale(sold_out=True)
    token = repeats._repeated.set(True)
    try:
        await FlashSaleService(sale, 2).buy(buy())
    finally:
        repeats._repeated.reset(token)
    assert len(sale.batches) == 1


async def test_a_failed_batch_fails_each_of_its_buyers():
    sale = Sale()

    async def broken(requests):
        raise Unavailable("no Redis")

    sale.buy = broken
    response = await FlashSaleService(sale, 2).buy_many(BuyManyRequest(requests=[buy(), buy()]))
    assert [result.error.code for result in response.results] == [50300, 50300]
