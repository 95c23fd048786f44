"""Settings of the product service."""

from __future__ import annotations

from services.common.settings import MysqlSettings


class Settings(MysqlSettings):
    http_port: int = 30180
    grpc_port: int = 30182
