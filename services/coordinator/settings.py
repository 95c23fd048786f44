"""What the coordinator is told from outside: DTM's own environment names, so that either image fits one manifest."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from services.common.settings import ProcessSettings


class Settings(ProcessSettings):
    """All times are whole seconds. The store's password may be the file `store_password` in ESHOP_SECRETS_DIR."""

    http_port: int = Field(36789, validation_alias=AliasChoices("HTTP_PORT"))
    grpc_port: int = Field(36790, validation_alias=AliasChoices("GRPC_PORT"))
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias=AliasChoices("LOG_LEVEL", "ESHOP_LOG_LEVEL")
    )

    store_driver: Literal["mysql", "redis"] = Field(validation_alias=AliasChoices("STORE_DRIVER"))
    store_host: str = Field(min_length=1, validation_alias=AliasChoices("STORE_HOST"))
    store_port: int = Field(0, ge=0, le=65535, validation_alias=AliasChoices("STORE_PORT"))
    store_user: str = Field("", validation_alias=AliasChoices("STORE_USER"))
    store_password: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("STORE_PASSWORD"))
    store_db: str = Field("dtm", validation_alias=AliasChoices("STORE_DB"))
    store_max_open_conns: int = Field(16, ge=2, validation_alias=AliasChoices("STORE_MAX_OPEN_CONNS"))
    store_redis_prefix: str = Field("{a}", validation_alias=AliasChoices("STORE_REDIS_PREFIX"))
    store_data_expire: int = Field(604_800, gt=0, validation_alias=AliasChoices("STORE_DATA_EXPIRE"))
    store_finished_data_expire: int = Field(86_400, gt=0, validation_alias=AliasChoices("STORE_FINISHED_DATA_EXPIRE"))

    trans_cron_interval: int = Field(3, ge=1, validation_alias=AliasChoices("TRANS_CRON_INTERVAL"))
    timeout_to_fail: int = Field(35, ge=1, validation_alias=AliasChoices("TIMEOUT_TO_FAIL"))
    # Also the lease: so long a pass may be silent before another instance takes its transaction.
    retry_interval: int = Field(10, ge=2, validation_alias=AliasChoices("RETRY_INTERVAL"))
    request_timeout: int = Field(3, ge=1, validation_alias=AliasChoices("REQUEST_TIMEOUT"))

    @field_validator("log_level", mode="before")
    @classmethod
    def _dtm_level(cls, value: Any) -> Any:
        return "warning" if value == "warn" else value

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.timeout_to_fail < self.retry_interval:
            raise ValueError("TIMEOUT_TO_FAIL should not be less than RETRY_INTERVAL")
        if self.store_driver == "mysql" and not self.store_user:
            raise ValueError("STORE_USER is missing")
        self.store_port = self.store_port or (3306 if self.store_driver == "mysql" else 6379)
        return self
