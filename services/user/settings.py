"""Settings of the user service."""

from __future__ import annotations

from services.common.settings import MysqlSettings


class Settings(MysqlSettings):
    http_port: int = 30080
    grpc_port: int = 30082
    # Password hashes at a time; each takes a core and 19 MiB for some tens of milliseconds. More pods hash more.
    hash_threads: int = 1
