"""FlashSaleService: purchases from flash sales."""

from __future__ import annotations

from collections import Counter

from services.common.batching import BatcherGroup
from services.common.errors import Invalid, LimitReached, ShopError, SoldOut
from services.common.ids import may_be_repeated
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.repeats import is_repeated_call
from services.common.telemetry import metrics
from services.flash_sale.sale import Sale, sold_out_error

MAX_BUYERS = 512


class FlashSaleService:
    """Public. Buyers of one product that wait while its batches are in flight form the next batch."""

    def __init__(self, sale: Sale, in_flight: int) -> None:
        self._sale = sale
        self._buying: BatcherGroup[int, flash_sale_pb2.BuyRequest, str] = BatcherGroup(
            "sale", sale.buy, max_items=MAX_BUYERS, in_flight=in_flight
        )

    async def buy(self, request: flash_sale_pb2.BuyRequest) -> flash_sale_pb2.BuyResponse:
        [answer] = await self._answers([request])
        if isinstance(answer, ShopError):
            raise answer
        return flash_sale_pb2.BuyResponse(order_id=answer)

    async def buy_many(self, request: flash_sale_pb2.BuyManyRequest) -> flash_sale_pb2.BuyManyResponse:
        requests = list(request.requests)
        if any(one.product_id != requests[0].product_id for one in requests):
            raise Invalid("requests: must all be for one product")
        results = [
            flash_sale_pb2.BuyResult(error=answer.to_proto())
            if isinstance(answer, ShopError)
            else flash_sale_pb2.BuyResult(response=flash_sale_pb2.BuyResponse(order_id=answer))
            for answer in await self._answers(requests)
        ]
        return flash_sale_pb2.BuyManyResponse(results=results)

    async def open(self, request: flash_sale_pb2.OpenRequest) -> flash_sale_pb2.OpenResponse:
        await self._sale.open(request)
        return flash_sale_pb2.OpenResponse()

    async def _answers(self, requests: list[flash_sale_pb2.BuyRequest]) -> list[str | ShopError]:
        """Sold out a moment ago is answered without further work, unless the request may have been accepted before."""
        product_id = requests[0].product_id
        refused: ShopError | None = None
        if self._sale.sold_out(product_id) and not is_repeated_call():
            refused = sold_out_error(product_id)
        asking = [one for one in requests if refused is None or may_be_repeated(one.order_id)]
        found = iter(await self._buying.add_many(product_id, asking) if asking else [])
        answers = [
            refused if refused is not None and not may_be_repeated(one.order_id) else next(found) for one in requests
        ]
        for kind, count in Counter(map(_kind, answers)).items():
            metrics.FLASH_SALE_ANSWERS.labels(kind).inc(count)
        return answers


def _kind(answer: str | ShopError) -> str:
    if isinstance(answer, SoldOut):
        return "sold_out"
    if isinstance(answer, LimitReached):
        return "limit_reached"
    return "failed" if isinstance(answer, ShopError) else "accepted"
