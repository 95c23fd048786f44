"""OrderBranches: the order service's step in the order saga, action and compensation side by side."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.dtm.barrier import BranchCall, mysql_barrier
from services.common.pb.eshop.order.v1.branches_pb2 import CreateOrdersRequest
from services.order import records


class OrderBranches:
    """Called by DTM."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_orders(self, request: CreateOrdersRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            await records.create(connection, request.orders, call.gid)

        await mysql_barrier(self._database, call, work)
        return Empty()

    async def create_orders_revert(self, _: CreateOrdersRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            await records.delete(connection, call.gid)

        await mysql_barrier(self._database, call, work)
        return Empty()
