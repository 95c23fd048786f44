"""Settings of the pay service."""

from __future__ import annotations

from services.common.settings import MysqlSettings


class Settings(MysqlSettings):
    http_port: int = 30580
    grpc_port: int = 30582
