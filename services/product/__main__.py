"""The product service: what the shop sells."""

from __future__ import annotations

from services.common.database import Database
from services.common.pb.eshop.product.v1 import product_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.product.service import ProductService
from services.product.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_product"))
    runtime.serve(product_pb2.DESCRIPTOR.services_by_name["ProductService"], ProductService(database))


run("product", settings, wire)
