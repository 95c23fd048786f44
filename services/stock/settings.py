"""Settings of the stock service."""

from __future__ import annotations

from services.common.settings import MysqlSettings


class Settings(MysqlSettings):
    http_port: int = 30380
    grpc_port: int = 30382
    flash_sale_grpc: str = "127.0.0.1:30682"
