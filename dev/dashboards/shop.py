"""What the shop sells, what it refuses and why, and how long buyers wait."""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame, quantile

_HTTP = "eshop_http_request_duration_seconds"
_BUYING = 'RELEASE, service="gateway", method="POST", route=~"/api/v1/(order/.*|flashSale)"'

DASHBOARD = frame(
    "shop",
    "eshop / Shop",
    "Orders, refusals and flash sales as the buyers see them.",
    [
        Row(
            "Now",
            [
                Number(
                    "Orders placed a second", 'sum(rate(eshop_orders_total{RELEASE, outcome="placed"}[RATE]))', "ops"
                ),
                Number("Orders placed in an hour", 'sum(increase(eshop_orders_total{RELEASE, outcome="placed"}[1h]))'),
                Number(
                    "Refused",
                    'sum(rate(eshop_orders_total{RELEASE, outcome="refused"}[RATE])) / sum(rate(eshop_orders_total{RELEASE}[RATE]))',
                    "percentunit",
                    description="Share of the orders that could not be placed: no stock, no valid coupon.",
                ),
                Number("Wait of a buyer, p95", quantile(0.95, _HTTP, where=_BUYING), "s"),
                Number("Orders waiting in Kafka", "sum(eshop_kafka_consumer_lag{RELEASE})"),
                Number("Dead letters in an hour", "sum(increase(eshop_kafka_dead_letters_total{RELEASE}[1h]))"),
            ],
        ),
        Row(
            "Orders",
            [
                Graph(
                    "Placed, by way in",
                    {"{{source}}": 'sum by (source) (rate(eshop_orders_total{RELEASE, outcome="placed"}[RATE]))'},
                    "ops",
                    stacked=True,
                ),
                Graph(
                    "Not placed, by reason",
                    {"{{reason}}": 'sum by (reason) (rate(eshop_orders_total{RELEASE, outcome!="placed"}[RATE]))'},
                    "ops",
                    stacked=True,
                ),
                Graph(
                    "Flash sales: answers",
                    {"{{answer}}": "sum by (answer) (rate(eshop_flash_sale_answers_total{RELEASE}[RATE]))"},
                    "ops",
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Buyers",
            [
                Graph(
                    "Requests at the gateway, by route",
                    {"{{route}}": f'sum by (route) (rate({_HTTP}_count{{RELEASE, service="gateway"}}[RATE]))'},
                    "reqps",
                ),
                Graph(
                    "Answers at the gateway, by status",
                    {"{{status}}": f'sum by (status) (rate({_HTTP}_count{{RELEASE, service="gateway"}}[RATE]))'},
                    "reqps",
                    stacked=True,
                ),
                Graph(
                    "Wait for the answer of a purchase",
                    {f"p{share * 100:.0f}": quantile(share, _HTTP, where=_BUYING) for share in (0.5, 0.95, 0.99)},
                    "s",
                    description="Diamonds are exemplars: each leads to the trace of one request.",
                ),
            ],
        ),
        Row(
            "Behind the counter",
            [
                Graph(
                    "Orders waiting in Kafka, by topic",
                    {"{{topic}}": "sum by (topic) (eshop_kafka_consumer_lag{RELEASE})"},
                ),
                Graph(
                    "Time of a saga, p95",
                    {"{{outcome}}": quantile(0.95, "eshop_saga_duration_seconds", "outcome")},
                    "s",
                ),
                Graph(
                    "Orders in a saga, on average",
                    {
                        "orders": "sum(rate(eshop_orders_total{RELEASE}[RATE])) / sum(rate(eshop_saga_duration_seconds_count{RELEASE}[RATE]))"
                    },
                    description="Group commit at work: the busier the shop, the more orders share a saga.",
                ),
            ],
        ),
    ],
)
