"""The order service: orders and their placement (flows A, B and C)."""

from __future__ import annotations

from services.common import flow
from services.common.database import Database
from services.common.dtm.client import Dtm
from services.common.grpc_channel import GrpcChannel
from services.common.kafka import BatchConsumer, Publisher
from services.common.pb.eshop.coupon.v1 import coupon_pb2, coupon_pb2_grpc
from services.common.pb.eshop.order.v1 import branches_pb2, order_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2, stock_pb2_grpc
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.order.branches import OrderBranches
from services.order.consumer import MAX_RECORDS, OrderConsumer
from services.order.forecast import Forecast
from services.order.placement import Placement
from services.order.records import Records
from services.order.service import OrderService
from services.order.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_order"))
    publisher = await runtime.open(Publisher(settings))
    dtm = await runtime.open(Dtm("dtm-mysql", settings.dtm_mysql_grpc))
    stock = await runtime.open(
        GrpcChannel("stock", settings.stock_grpc, stock_pb2.DESCRIPTOR.services_by_name["StockService"])
    )
    coupon = await runtime.open(
        GrpcChannel("coupon", settings.coupon_grpc, coupon_pb2.DESCRIPTOR.services_by_name["CouponService"])
    )
    records = Records(database)
    forecast = Forecast(
        stock_pb2_grpc.StockServiceStub(stock.channel), coupon_pb2_grpc.CouponServiceStub(coupon.channel)
    )
    addresses = {
        "order": settings.order_grpc,
        "stock": settings.stock_grpc,
        "coupon": settings.coupon_grpc,
        "pay": settings.pay_grpc,
    }
    placement = Placement(records, forecast, dtm, addresses)
    runtime.serve(
        order_pb2.DESCRIPTOR.services_by_name["OrderService"], OrderService(database, placement, publisher, settings)
    )
    runtime.serve_branches(branches_pb2.DESCRIPTOR.services_by_name["OrderBranches"], OrderBranches(database))
    handler = OrderConsumer(placement, publisher).handle
    for topic in flow.ORDER_TOPICS:  # one loop each: neither topic waits for the other
        consumer = BatchConsumer(
            settings,
            topics=[topic],
            group=flow.PLACEMENT_GROUP,
            max_records=MAX_RECORDS,
            handler=handler,
            pace=settings.consumer_pace,
        )
        runtime.loop(topic, (await runtime.open(consumer)).run)


run("order", settings, wire)
