"""PayBranches: the pay service's step in the order saga, action and compensation side by side."""

from __future__ import annotations

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database, InsertMany
from services.common.dtm.barrier import BranchCall, mysql_barrier
from services.common.errors import OrderInFlight
from services.common.pb.eshop.pay.v1.branches_pb2 import CreatePaymentsRequest
from services.pay.tables import PENDING, pay

_INSERT = InsertMany(pay, ("order_id", "user_id", "amount", "status", "gid"))
_DELETE = sa.delete(pay).where(pay.c.gid == sa.bindparam("of_gid"))


class PayBranches:
    """Called by DTM."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_payments(self, request: CreatePaymentsRequest, call: BranchCall) -> Empty:
        rows = [
            {
                "order_id": payment.order_id,
                "user_id": payment.user_id,
                "amount": payment.amount,
                "status": PENDING,
                "gid": call.gid,
            }
            for payment in request.payments
        ]

        async def work(connection: AsyncConnection) -> None:
            try:
                await _INSERT.run(connection, rows)
            except IntegrityError as error:
                raise OrderInFlight("a payment of one of these orders exists") from error

        await mysql_barrier(self._database, call, work)
        return Empty()

    async def create_payments_revert(self, _: CreatePaymentsRequest, call: BranchCall) -> Empty:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_DELETE, {"of_gid": call.gid})

        await mysql_barrier(self._database, call, work)
        return Empty()
