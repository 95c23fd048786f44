"""Settings of the order service."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import KafkaSettings, MysqlSettings


class Settings(MysqlSettings, KafkaSettings):
    http_port: int = 30280
    grpc_port: int = 30282
    dtm_mysql_grpc: str = "127.0.0.1:36790"
    order_grpc: str = "127.0.0.1:30282"
    stock_grpc: str = "127.0.0.1:30382"
    coupon_grpc: str = "127.0.0.1:30482"
    pay_grpc: str = "127.0.0.1:30582"
    # Few batches in flight beat many: small batches waste commits.
    placement_in_flight: int = 1
    # Seconds that a submit waits for its outcome.
    placement_patience: float = 8
    # Least seconds from one batch of records to the next, where records trickle in.
    consumer_pace: float = Field(0.05, ge=0, le=10)
