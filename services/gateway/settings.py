"""Settings of the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.common.settings import ProcessSettings


class Batches(BaseModel):
    """How the requests of one call travel together: batches in flight, and seconds from one crowd's batch to the next.

    Few in flight: small batches waste the commits behind them.
    """

    in_flight: int = Field(2, ge=1)
    pace: float = Field(0, ge=0, le=1)


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
    batches: dict[str, Batches] = Field(
        default={
            "SubmitMany": Batches(in_flight=2),
            # Answered so soon that their batches would stay small.
            "SendSubmitNotifyMany": Batches(in_flight=3, pace=0.01),
            "BuyMany": Batches(in_flight=2, pace=0.02),
        }
    )

    def targets(self) -> dict[str, str]:
        """`host:port` of each service behind the gateway, by its folder's name."""
        fields = type(self).model_fields
        return {name.removesuffix("_grpc"): getattr(self, name) for name in fields if name.endswith("_grpc")}
