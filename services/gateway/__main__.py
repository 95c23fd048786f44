"""The gateway: the shop's one public door, REST in and gRPC out."""

from __future__ import annotations

from services.common.grpc_channel import GrpcChannel
from services.common.pb.eshop.coupon.v1 import coupon_pb2
from services.common.pb.eshop.flash_sale.v1 import flash_sale_pb2
from services.common.pb.eshop.order.v1 import order_pb2
from services.common.pb.eshop.product.v1 import product_pb2
from services.common.pb.eshop.stock.v1 import stock_pb2
from services.common.pb.eshop.user.v1 import user_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.gateway.routes import forwarded
from services.gateway.settings import Settings

settings = load(Settings)

# One line for each service behind the gateway.
SERVICES = [
    ("user", settings.user_grpc, user_pb2.DESCRIPTOR.services_by_name["UserService"]),
    ("product", settings.product_grpc, product_pb2.DESCRIPTOR.services_by_name["ProductService"]),
    ("order", settings.order_grpc, order_pb2.DESCRIPTOR.services_by_name["OrderService"]),
    ("stock", settings.stock_grpc, stock_pb2.DESCRIPTOR.services_by_name["StockService"]),
    ("coupon", settings.coupon_grpc, coupon_pb2.DESCRIPTOR.services_by_name["CouponService"]),
    ("flash-sale", settings.flash_sale_grpc, flash_sale_pb2.DESCRIPTOR.services_by_name["FlashSaleService"]),
]


async def wire(runtime: Runtime) -> None:
    for name, target, service in SERVICES:
        channel = await runtime.open(GrpcChannel(name, target, service))
        runtime.forward(forwarded(channel.channel, service, settings.call_seconds, settings.batches_in_flight))


run("gateway", settings, wire)
