"""StockBranches: the stock service's step in the order saga, action and compensation side by side.

Items come sorted by product and sale, so that all sagas lock rows in the same order; a hot row is locked once a batch.
"""

from __future__ import annotations

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.dtm.barrier import BranchCall, mysql_barrier
from services.common.errors import StockInsufficient
from services.common.pb.eshop.stock.v1.branches_pb2 import Deduction, DeductRequest
from services.stock.tables import flash_sale, stock

_COUNT = sa.bindparam("count", type_=sa.BigInteger)

_DEDUCT = (
    sa.update(stock)
    .where(stock.c.product_id == sa.bindparam("product"), stock.c.stock >= _COUNT, stock.c.deleted_at.is_(None))
    .values(stock=stock.c.stock - _COUNT)
)
_RETURN = sa.update(stock).where(stock.c.product_id == sa.bindparam("product")).values(stock=stock.c.stock + _COUNT)
_SALE = (flash_sale.c.id == sa.bindparam("sale")) & (flash_sale.c.product_id == sa.bindparam("product"))
_DEDUCT_SALE = (
    sa.update(flash_sale)
    .where(_SALE, flash_sale.c.remaining >= _COUNT)
    .values(remaining=flash_sale.c.remaining - _COUNT)
)
_RETURN_SALE = sa.update(flash_sale).where(_SALE).values(remaining=flash_sale.c.remaining + _COUNT)


class StockBranches:
    """Called by DTM."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deduct(self, request: DeductRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            for item in request.items:
                statement = _DEDUCT_SALE if item.sale_id else _DEDUCT
                if (await connection.execute(statement, _values(item))).rowcount != 1:
                    where = f"sale {item.sale_id} of product" if item.sale_id else "product"
                    raise StockInsufficient(f"{where} {item.product_id} has fewer than {item.count} units left")

        await mysql_barrier(self._database, call, work)
        return Empty()

    async def deduct_revert(self, request: DeductRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            for item in request.items:
                await connection.execute(_RETURN_SALE if item.sale_id else _RETURN, _values(item))

        await mysql_barrier(self._database, call, work)
        return Empty()


def _values(item: Deduction) -> dict[str, int]:
    values = {"product": item.product_id, "count": item.count}
    return values | {"sale": item.sale_id} if item.sale_id else values
