"""The flash-sale service: units in Redis, accepted orders to Kafka (flow C)."""

from __future__ import annotations

from services.common.dtm.client import Dtm
from services.common.kafka import Publisher
from services.common.pb.eshop.flash_sale.v1 import branches_pb2, flash_sale_pb2
from services.common.redis import Redis
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.flash_sale.branches import FlashSaleBranches
from services.flash_sale.sale import Sale
from services.flash_sale.service import FlashSaleService
from services.flash_sale.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    redis = await runtime.open(Redis(settings))
    publisher = await runtime.open(Publisher(settings))
    dtm = await runtime.open(Dtm("dtm-redis", settings.dtm_redis_grpc))
    sale = Sale(redis, dtm, settings.flash_sale_grpc)
    runtime.serve(
        flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"], FlashSaleService(sale, settings.sale_in_flight)
    )
    runtime.serve_branches(
        branches_pb2.DESCRIPTOR.services_by_name["FlashSaleBranches"], FlashSaleBranches(redis, publisher)
    )


run("flash_sale", settings, wire)
