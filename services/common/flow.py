"""Every branch, topic, consumer group and Redis key of the shop, named once.

Whoever adds a step to a flow adds it here; tests/contract checks that each name is served, and compensated or consumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Branch:
    """One step at one service: the gRPC methods that DTM calls. `compensation` is empty where nothing can fail."""

    service: str
    action: str
    compensation: str = ""


# The order saga: the first three run in parallel, CreateOrders when all of them have succeeded.
DEDUCT_STOCK: Final = Branch(
    "stock", "eshop.stock.v1.StockBranches/Deduct", "eshop.stock.v1.StockBranches/DeductRevert"
)
USE_COUPONS: Final = Branch("coupon", "eshop.coupon.v1.CouponBranches/Use", "eshop.coupon.v1.CouponBranches/UseRevert")
CREATE_PAYMENTS: Final = Branch(
    "pay", "eshop.pay.v1.PayBranches/CreatePayments", "eshop.pay.v1.PayBranches/CreatePaymentsRevert"
)
CREATE_ORDERS: Final = Branch(
    "order", "eshop.order.v1.OrderBranches/CreateOrders", "eshop.order.v1.OrderBranches/CreateOrdersRevert"
)

# The flash sale's two-phase message.
PUBLISH_ACCEPTED: Final = Branch("flash_sale", "eshop.flash_sale.v1.FlashSaleBranches/PublishAccepted")
QUERY_PREPARED: Final = Branch("flash_sale", "eshop.flash_sale.v1.FlashSaleBranches/QueryPrepared")

BRANCHES: Final = (DEDUCT_STOCK, USE_COUPONS, CREATE_PAYMENTS, CREATE_ORDERS, PUBLISH_ACCEPTED, QUERY_PREPARED)

# Kafka: the value is an eshop.order.v1.NewOrder, the key its order id.
ORDER_SUBMITTED: Final = "order.submitted"
FLASH_SALE_ACCEPTED: Final = "flash-sale.order-accepted"
ORDER_TOPICS: Final = (ORDER_SUBMITTED, FLASH_SALE_ACCEPTED)
PLACEMENT_GROUP: Final = "order.placement"


def dead_letter_topic(topic: str) -> str:
    """Where messages of `topic` go that cannot be read."""
    return f"{topic}.dlt"


TOPICS: Final = (*ORDER_TOPICS, *(dead_letter_topic(topic) for topic in ORDER_TOPICS))


# Redis: everything of one product's flash sales shares a hash slot, and so do the gids of its messages.
def flash_tag(product_id: int) -> str:
    """Hash tag of a product; the gid of each of its two-phase messages starts with it."""
    return f"{{flash:{product_id}}}"


def flash_pointer(product_id: int) -> str:
    """String: id of the product's current sale."""
    return f"{flash_tag(product_id)}:sale"


def flash_stock(product_id: int, sale_id: int) -> str:
    """String: units left."""
    return f"{flash_tag(product_id)}:{sale_id}:stock"


def flash_limit(product_id: int, sale_id: int) -> str:
    """String: units that one user may buy; 0 means no limit."""
    return f"{flash_tag(product_id)}:{sale_id}:limit"


def flash_buyers(product_id: int, sale_id: int) -> str:
    """Hash: units by user id."""
    return f"{flash_tag(product_id)}:{sale_id}:buyers"


def flash_orders(product_id: int, sale_id: int) -> str:
    """Set: the order ids that were accepted, so that a repeated request takes no second unit."""
    return f"{flash_tag(product_id)}:{sale_id}:orders"


def flash_accepted(product_id: int, gid: str) -> str:
    """List: serialised NewOrder messages that the gid accepted and that Kafka may not have yet."""
    return f"{flash_tag(product_id)}:accepted:{gid}"
