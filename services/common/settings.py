"""What a process is told from outside: environment variables `ESHOP_*`, or files in the folder ESHOP_SECRETS_DIR.

A wrong or missing value ends the process at start with a message that names the variable.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

SECRETS_DIR = os.environ.get("ESHOP_SECRETS_DIR") or None


class ProcessSettings(BaseSettings):
    """Settings of every process."""

    model_config = SettingsConfigDict(
        env_prefix="ESHOP_",
        secrets_dir=SECRETS_DIR if SECRETS_DIR and Path(SECRETS_DIR).is_dir() else None,
        extra="ignore",
    )

    http_host: str = "0.0.0.0"  # noqa: S104 - a container listens on all its addresses
    http_port: int = 8080
    http_server: Literal["hypercorn", "uvicorn"] = "hypercorn"
    grpc_port: int = 8282
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    # Seconds between turning unready and closing the door: the time that load balancers need to notice.
    drain_seconds: float = 0
    # Seconds that requests in flight get to finish.
    grace_seconds: float = 10
    # host:port of an OTLP collector (gRPC), or a file for JSON lines; neither: no tracing.
    otlp_endpoint: str = ""
    trace_file: str = ""
    # Share of requests that begin a trace.
    trace_ratio: float = Field(0.01, ge=0, le=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then secret files, whose names carry no prefix: `mysql_password`."""
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, env_prefix="")


Loaded = TypeVar("Loaded", bound=ProcessSettings)


def load(kind: type[Loaded]) -> Loaded:
    """The settings of this process. What is wrong ends it, with the names of the variables and without their values."""
    try:
        return kind()
    except ValidationError as error:
        problems = [f"{_variable(problem['loc'], kind)}{problem['msg']}" for problem in error.errors()]
        raise SystemExit(f"settings: {'; '.join(problems)}") from None


def _variable(location: tuple[int | str, ...], kind: type[ProcessSettings]) -> str:
    if not location:
        return ""
    name = str(location[0])
    return f"ESHOP_{name.upper()}: " if name in kind.model_fields else f"{name}: "


class MysqlSettings(ProcessSettings):
    mysql_host: str = "127.0.0.1"
    mysql_port: int = 3306
    mysql_user: str
    mysql_password: SecretStr = SecretStr("")
    mysql_database: str = ""
    mysql_pool: int = 8


class RedisSettings(ProcessSettings):
    redis_host: str = "127.0.0.1"
    redis_port: int = 6379
    redis_password: SecretStr = SecretStr("")
    redis_pool: int = 32


class KafkaSettings(ProcessSettings):
    kafka_brokers: str = "127.0.0.1:9092"
