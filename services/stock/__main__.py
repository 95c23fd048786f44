"""The stock service: what is left of each product, and the allotments of flash sales."""

from __future__ import annotations

from services.common.database import Database
from services.common.grpc_channel import GrpcChannel
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2, flash_sale_pb2_grpc
from services.common.pb.eshop.stock.v1 import branches_pb2, stock_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.stock.branches import StockBranches
from services.stock.service import StockService
from services.stock.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_stock"))
    flash_sales = await runtime.open(
        GrpcChannel(
            "flash-sale",
            settings.flash_sale_grpc,
            flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"],
        )
    )
    service = StockService(database, flash_sale_pb2_grpc.FlashSaleServiceStub(flash_sales.channel))
    runtime.serve(stock_pb2.DESCRIPTOR.services_by_name["StockService"], service)
    runtime.serve_branches(branches_pb2.DESCRIPTOR.services_by_name["StockBranches"], StockBranches(database))


run("stock", settings, wire)
