"""Starts the coordinator: `python -m services.coordinator`, with DTM's own environment names (settings.py)."""

from __future__ import annotations

from services.common.redis import Redis
from services.common.runtime import Runtime, run
from services.common.settings import MysqlSettings, RedisSettings, load
from services.coordinator import metrics
from services.coordinator.branch_calls import BranchCaller
from services.coordinator.coordinator import Coordinator
from services.coordinator.cron import Cron
from services.coordinator.grpc_api import SERVICE, DtmService
from services.coordinator.http_api import VERSION, HttpApi
from services.coordinator.mysql_pool import MysqlPool
from services.coordinator.passes import Passes
from services.coordinator.settings import Settings
from services.coordinator.store import Store
from services.coordinator.store_mysql import MysqlStore
from services.coordinator.store_redis import RedisStore
from services.coordinator.topics import Topics


def open_store(settings: Settings) -> Store:
    if settings.store_driver == "redis":
        redis = RedisSettings(
            redis_host=settings.store_host,
            redis_port=settings.store_port,
            redis_password=settings.store_password,
        )
        return RedisStore(
            Redis(redis), settings.store_redis_prefix, settings.store_data_expire, settings.store_finished_data_expire
        )
    mysql = MysqlSettings(
        mysql_host=settings.store_host,
        mysql_port=settings.store_port,
        mysql_user=settings.store_user,
        mysql_password=settings.store_password,
        mysql_database=settings.store_db,
        mysql_pool=settings.store_max_open_conns,
    )
    return MysqlStore(MysqlPool(mysql), writers=max(1, min(4, mysql.mysql_pool // 2)))


async def wire(runtime: Runtime) -> None:
    metrics.SERVER_INFO.labels(VERSION).set(1)
    store = await runtime.open(open_store(settings))
    caller = await runtime.open(BranchCaller())
    passes = await runtime.open(Passes(store, caller, settings))
    topics = Topics(store)
    coordinator = Coordinator(store, passes, topics, settings)
    runtime.serve_handlers(SERVICE, DtmService(coordinator, topics).handlers())
    runtime.mount(*HttpApi(coordinator, topics, store, 3 * settings.timeout_to_fail).routes())
    runtime.loop("cron", Cron(store, passes, settings).run)


if __name__ == "__main__":
    settings = load(Settings)
    run("coordinator", settings, wire)
