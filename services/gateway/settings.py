"""Settings of the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.common.settings import ProcessSettings


class Settings(ProcessSettings):
    # The only process that faces thousands of connections: uvicorn's parser costs a quarter of Hypercorn's.
    http_server: Literal["hypercorn", "uvicorn"] = "uvicorn"
    # One line for each service behind the gateway.
    user_grpc: str = "127.0.0.1:30082"
    product_grpc: str = "127.0.0.1:30182"
    order_grpc: str = "127.0.0.1:30282"
    stock_grpc: str = "127.0.0.1:30382"
    coupon_grpc: str = "127.0.0.1:30482"
    flash_sale_grpc: str = "127.0.0.1:30682"
    # Seconds that a call may take: more than a submit waits for its outcome.
    call_seconds: float = 15
    # Batches of a call in flight. Few: small batches waste the commits behind them.
    batches_in_flight: int = Field(2, ge=1)
    # Least seconds from one crowd's batch to the next: what is answered sooner would go on in small batches.
    batch_pace: float = Field(0.02, ge=0, le=1)

    def targets(self) -> dict[str, str]:
        """`host:port` of each service behind the gateway, by its folder's name."""
        fields = type(self).model_fields
        return {name.removesuffix("_grpc"): getattr(self, name) for name in fields if name.endswith("_grpc")}
