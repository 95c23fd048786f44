"""Stores: where the shop's MySQL, Redis, Kafka and coordinators are, as the reader of all of them sees them.

In a container from the environment (ESHOP_MYSQL_*, ESHOP_REDIS_*, ESHOP_KAFKA_BROKERS, ESHOP_DTM_*_HTTP and secret
files), and on a developer's machine, where ESHOP_MYSQL_HOST is not set, from the local stack.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr

from services.common.settings import KafkaSettings, MysqlSettings, RedisSettings, load

if TYPE_CHECKING:
    from dev.stack import Stack


class Stores(MysqlSettings, RedisSettings, KafkaSettings):
    """`dtm_*_http` are `host:port`."""

    dtm_mysql_http: str
    dtm_redis_http: str


def from_environment() -> Stores:
    """Ends the process, naming the variables, where the environment lacks something."""
    if os.environ.get("ESHOP_MYSQL_HOST"):
        return load(Stores)
    from dev.stack import Stack  # a container has no local stack

    return of_stack(Stack())


def of_stack(stack: Stack) -> Stores:
    """Of a local stack."""
    redis = stack.redis()
    return Stores(
        **stack.mysql("reader").settings(),
        redis_host=redis.host,
        redis_port=redis.port,
        redis_password=SecretStr(redis.password),
        kafka_brokers=stack.brokers,
        dtm_mysql_http=stack.address("coordinator-mysql", "http"),
        dtm_redis_http=stack.address("coordinator-redis", "http"),
    )
