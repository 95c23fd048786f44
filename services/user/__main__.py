"""The user service: who can buy."""

from __future__ import annotations

from services.common.database import Database
from services.common.pb.eshop.user.v1 import user_pb2
from services.common.runtime import Runtime, run
from services.common.settings import load
from services.user.passwords import Passwords
from services.user.service import UserService
from services.user.settings import Settings

settings = load(Settings)


async def wire(runtime: Runtime) -> None:
    database = await runtime.open(Database(settings, "eshop_user"))
    passwords = await runtime.open(Passwords(settings.hash_threads))
    runtime.serve(user_pb2.DESCRIPTOR.services_by_name["UserService"], UserService(database, passwords))


run("user", settings, wire)
