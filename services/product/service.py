"""ProductService: what the shop sells."""

from __future__ import annotations

from services.common.crud import Crud
from services.common.database import Database
from services.common.pb.eshop.product.v1 import product_pb2
from services.product.tables import product

_FIELDS = ("name", "price", "photo", "description")


class ProductService:
    """Public."""

    def __init__(self, database: Database) -> None:
        self._crud: Crud[product_pb2.Product] = Crud(database, product, product_pb2.Product)

    async def create(self, request: product_pb2.CreateRequest) -> product_pb2.CreateResponse:
        values = {name: getattr(request, name) for name in _FIELDS}
        return product_pb2.CreateResponse(id=await self._crud.create(values))

    async def get(self, request: product_pb2.GetRequest) -> product_pb2.GetResponse:
        return product_pb2.GetResponse(product=await self._crud.get(request.id))

    async def update(self, request: product_pb2.UpdateRequest) -> product_pb2.UpdateResponse:
        changes = {name: getattr(request, name) for name in _FIELDS if request.HasField(name)}  # type: ignore[arg-type]
        await self._crud.update(request.id, changes)
        return product_pb2.UpdateResponse()

    async def delete(self, request: product_pb2.DeleteRequest) -> product_pb2.DeleteResponse:
        await self._crud.delete(request.id)
        return product_pb2.DeleteResponse()

    async def list(self, request: product_pb2.ListRequest) -> product_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return product_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: product_pb2.SearchRequest) -> product_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return product_pb2.SearchResponse(list=rows, total=total)
