"""A flash sale while it runs: the answers, the batches, and whether what was promised becomes orders."""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame, quantile

_ANSWERS = "eshop_flash_sale_answers_total"
_ROUTE = 'RELEASE, service="gateway", route="/api/v1/flashSale"'
_HTTP = "eshop_http_request_duration_seconds"
_TOPIC = 'RELEASE, topic="flash-sale.order-accepted"'

DASHBOARD = frame(
    "flash-sale",
    "eshop / Flash sale",
    "A flash sale live: answers a second, waits, batches, and the way of the accepted orders to their rows.",
    [
        Row(
            "Now",
            [
                Number("Answers a second", f"sum(rate({_ANSWERS}{{RELEASE}}[RATE]))", "ops"),
                Number("Accepted a second", f'sum(rate({_ANSWERS}{{RELEASE, answer="accepted"}}[RATE]))', "ops"),
                Number("Accepted in an hour", f'sum(increase({_ANSWERS}{{RELEASE, answer="accepted"}}[1h]))'),
                Number("Wait of a buyer, p95", quantile(0.95, _HTTP, where=_ROUTE), "s"),
                Number("Accepted, not yet placed", f"sum(eshop_kafka_consumer_lag{{{_TOPIC}}})"),
                Number(
                    "Accepted, then refused",
                    'sum(increase(eshop_orders_total{RELEASE, source="flash_sale", outcome="refused"}[1h])) or vector(0)',
                    description="Must stay 0: each is a buyer who was told yes and got no order.",
                ),
            ],
        ),
        Row(
            "Buyers",
            [
                Graph(
                    "Answers",
                    {"{{answer}}": f"sum by (answer) (rate({_ANSWERS}{{RELEASE}}[RATE]))"},
                    "ops",
                    12,
                    stacked=True,
                ),
                Graph(
                    "Wait for the answer",
                    {f"p{share * 100:.0f}": quantile(share, _HTTP, where=_ROUTE) for share in (0.5, 0.95, 0.99)},
                    "s",
                    12,
                ),
            ],
        ),
        Row(
            "Batches",
            [
                Graph(
                    "Buyers in a batch, on average",
                    {
                        "{{batcher}}": 'sum by (batcher) (rate(eshop_batch_items_sum{RELEASE, batcher=~"gateway.BuyMany|sale"}[RATE])) / sum by (batcher) (rate(eshop_batch_items_count{RELEASE, batcher=~"gateway.BuyMany|sale"}[RATE]))'
                    },
                ),
                Graph(
                    "Wait for a batch, p95",
                    {
                        "{{batcher}}": quantile(
                            0.95, "eshop_batch_wait_seconds", "batcher", 'RELEASE, batcher=~"gateway.BuyMany|sale"'
                        )
                    },
                    "s",
                ),
                Graph(
                    "Run time of a batch, p95",
                    {"sale": quantile(0.95, "eshop_batch_duration_seconds", where='RELEASE, batcher="sale"')},
                    "s",
                    description="Prepare at DTM, take the units in Redis, submit.",
                ),
            ],
        ),
        Row(
            "From yes to an order",
            [
                Graph(
                    "Accepted, published, placed",
                    {
                        "accepted": f'sum(rate({_ANSWERS}{{RELEASE, answer="accepted"}}[RATE]))',
                        "published": f"sum(rate(eshop_kafka_produced_total{{{_TOPIC}}}[RATE]))",
                        "placed": 'sum(rate(eshop_orders_total{RELEASE, source="flash_sale", outcome="placed"}[RATE]))',
                    },
                    "ops",
                ),
                Graph(
                    "Waiting in Kafka",
                    {"partition {{partition}}": f"sum by (partition) (eshop_kafka_consumer_lag{{{_TOPIC}}})"},
                    stacked=True,
                ),
                Graph(
                    "Two-phase messages",
                    {
                        "{{branchtype}} {{status}}": 'sum by (branchtype, status) (rate(dtm_branch_process_total{RELEASE, service="dtm-redis"}[RATE]))'
                    },
                    "ops",
                    description="action publishes what was accepted; queryPrepared asks after a crash.",
                ),
            ],
        ),
    ],
    minutes=15,
)
