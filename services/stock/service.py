"""StockService: the ordinary stock of products, and the opening of flash sales."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.crud import Crud
from services.common.database import Database
from services.common.grpc_channel import answer
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2, flash_sale_pb2_grpc
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.stock.tables import flash_sale, stock

_OPEN_SECONDS = 5.0

_LEFT = sa.select(stock.c.product_id, stock.c.stock).where(
    stock.c.product_id.in_(sa.bindparam("product_ids", expanding=True)), stock.c.deleted_at.is_(None)
)


def _set() -> Any:
    """Sets the units left; `supplied` moves by the same difference. MySQL assigns from left to right."""
    statement = insert(stock)
    difference = sa.cast(statement.inserted.stock, sa.BigInteger) - sa.cast(stock.c.stock, sa.BigInteger)
    return statement.on_duplicate_key_update(
        [
            ("id", sa.func.last_insert_id(stock.c.id)),
            ("supplied", stock.c.supplied + difference),
            ("stock", statement.inserted.stock),
            ("deleted_at", None),
        ]
    )


_SET = _set()
_CHANGE = (
    sa.update(stock)
    .where(stock.c.id == sa.bindparam("of_id"), stock.c.deleted_at.is_(None))
    .ordered_values(
        (
            stock.c.supplied,
            stock.c.supplied + sa.bindparam("left", type_=sa.BigInteger) - sa.cast(stock.c.stock, sa.BigInteger),
        ),
        (stock.c.stock, sa.bindparam("left", type_=sa.BigInteger)),
    )
)


class StockService:
    """Public; its rows go down through StockBranches alone."""

    def __init__(self, database: Database, flash_sales: flash_sale_pb2_grpc.FlashSaleServiceAsyncStub) -> None:
        self._database = database
        self._flash_sales = flash_sales
        self._crud: Crud[stock_pb2.Stock] = Crud(database, stock, stock_pb2.Stock)

    async def set(self, request: stock_pb2.SetRequest) -> stock_pb2.SetResponse:
        values = {"product_id": request.product_id, "stock": request.stock, "supplied": request.stock}

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(_SET, values)).lastrowid)

        return stock_pb2.SetResponse(id=await self._database.run(work))

    async def set_flash_sale(self, request: stock_pb2.SetFlashSaleRequest) -> stock_pb2.SetFlashSaleResponse:
        """Records the sale first: a crash before Redis knows it leaves a sale in which nobody can buy."""
        values = {
            "product_id": request.product_id,
            "stock": request.stock,
            "remaining": request.stock,
            "limit_per_user": request.limit_per_user,
        }

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(sa.insert(flash_sale), values)).lastrowid)

        sale_id = await self._database.run(work)
        await answer(
            self._flash_sales.Open(
                flash_sale_pb2.OpenRequest(
                    product_id=request.product_id,
                    sale_id=sale_id,
                    stock=request.stock,
                    limit_per_user=request.limit_per_user,
                ),
                timeout=_OPEN_SECONDS,
            ),
            changes=True,
        )
        return stock_pb2.SetFlashSaleResponse(sale_id=sale_id)

    async def get(self, request: stock_pb2.GetRequest) -> stock_pb2.GetResponse:
        return stock_pb2.GetResponse(stock=await self._crud.get(request.id))

    async def update(self, request: stock_pb2.UpdateRequest) -> stock_pb2.UpdateResponse:
        async def work(connection: AsyncConnection) -> int:
            values = {"of_id": request.id, "left": request.stock}
            return (await connection.execute(_CHANGE, values)).rowcount

        changed = await self._database.run(work) if request.HasField("stock") else 0
        if not changed:
            await self._crud.get(request.id)  # nothing to change, or no such row
        return stock_pb2.UpdateResponse()

    async def delete(self, request: stock_pb2.DeleteRequest) -> stock_pb2.DeleteResponse:
        free = stock.c.supplied == stock.c.stock
        await self._crud.delete(request.id, free, "orders hold units of this stock")
        return stock_pb2.DeleteResponse()

    async def list(self, request: stock_pb2.ListRequest) -> stock_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return stock_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: stock_pb2.SearchRequest) -> stock_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return stock_pb2.SearchResponse(list=rows, total=total)

    async def look(self, request: stock_pb2.LookRequest) -> stock_pb2.LookResponse:
        async with self._database.read() as connection:
            rows = await connection.execute(_LEFT, {"product_ids": list(request.product_ids)})
        return stock_pb2.LookResponse(left={row.product_id: row.stock for row in rows})
