"""Settings of the coupon service."""

from __future__ import annotations

from services.common.settings import MysqlSettings


class Settings(MysqlSettings):
    http_port: int = 30480
    grpc_port: int = 30482
