"""Settings of the flash-sale service."""

from __future__ import annotations

from services.common.settings import KafkaSettings, RedisSettings


class Settings(RedisSettings, KafkaSettings):
    http_port: int = 30680
    grpc_port: int = 30682
    dtm_redis_grpc: str = "127.0.0.1:35790"
    flash_sale_grpc: str = "127.0.0.1:30682"
    # Batches of one product in flight.
    sale_in_flight: int = 2
