"""PayService: the payments of orders."""

from __future__ import annotations

from services.common.crud import Crud
from services.common.database import Database
from services.common.pb.eshop.pay.v1 import pay_pb2
from services.pay.tables import PENDING, pay


class PayService:
    """Not public: payments of orders come from PayBranches."""

    def __init__(self, database: Database) -> None:
        self._crud: Crud[pay_pb2.Pay] = Crud(database, pay, pay_pb2.Pay)

    async def create(self, request: pay_pb2.CreateRequest) -> pay_pb2.CreateResponse:
        values = {"user_id": request.user_id, "order_id": request.order_id, "amount": request.amount}
        return pay_pb2.CreateResponse(id=await self._crud.create(values))

    async def get(self, request: pay_pb2.GetRequest) -> pay_pb2.GetResponse:
        return pay_pb2.GetResponse(pay=await self._crud.get(request.id))

    async def update(self, request: pay_pb2.UpdateRequest) -> pay_pb2.UpdateResponse:
        """A pending payment becomes paid or cancelled; a repeat changes nothing."""
        changes = {"status": request.status} if request.HasField("status") else {}
        possible = pay.c.status.in_((PENDING, request.status))
        await self._crud.update(request.id, changes, possible, "the payment is paid or cancelled")
        return pay_pb2.UpdateResponse()

    async def delete(self, request: pay_pb2.DeleteRequest) -> pay_pb2.DeleteResponse:
        await self._crud.delete(request.id, pay.c.status != PENDING, "the payment is pending")
        return pay_pb2.DeleteResponse()

    async def list(self, request: pay_pb2.ListRequest) -> pay_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return pay_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: pay_pb2.SearchRequest) -> pay_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return pay_pb2.SearchResponse(list=rows, total=total)
