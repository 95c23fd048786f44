"""The pay service: one payment for each live order."""

from __future__ import annotations

from services.common.database import Database
from services.common.pb.eshop.pay.v1 import branches_pb2, pay_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.pay.branches import PayBranches
from services.pay.service import PayService
from services.pay.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_pay"))
    runtime.serve(pay_pb2.DESCRIPTOR.services_by_name["PayService"], PayService(database))
    runtime.serve_branches(branches_pb2.DESCRIPTOR.services_by_name["PayBranches"], PayBranches(database))


run("pay", settings, wire)
