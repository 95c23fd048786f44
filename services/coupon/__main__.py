"""The coupon service: coupons, used by orders."""

from __future__ import annotations

from services.common.database import Database
from services.common.pb.eshop.coupon.v1 import branches_pb2, coupon_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.coupon.branches import CouponBranches
from services.coupon.service import CouponService
from services.coupon.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_coupon"))
    runtime.serve(coupon_pb2.DESCRIPTOR.services_by_name["CouponService"], CouponService(database))
    runtime.serve_branches(branches_pb2.DESCRIPTOR.services_by_name["CouponBranches"], CouponBranches(database))


run("coupon", settings, wire)
