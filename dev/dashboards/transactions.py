"""Sagas and two-phase messages: as the services see them, and as both coordinators do.

The official DTM and the embedded coordinator use the same metric names; the label `service` tells the two stores apart.
"""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame, quantile

_GRPC = "eshop_grpc_server_duration_seconds"
_BRANCHES = 'RELEASE, method=~".*Branches/.*"'

DASHBOARD = frame(
    "transactions",
    "eshop / Transactions",
    "Sagas and two-phase messages in the services and in both coordinators.",
    [
        Row(
            "Now",
            [
                Number("Sagas a second", "sum(rate(eshop_saga_duration_seconds_count{RELEASE}[RATE]))", "ops"),
                Number("Sagas waited for", "sum(eshop_sagas_open{RELEASE})"),
                Number("Oldest of them", "max(eshop_saga_oldest_seconds{RELEASE})", "s"),
                Number("Duration, p95", quantile(0.95, "eshop_saga_duration_seconds"), "s"),
                Number(
                    "Undecided in an hour",
                    'sum(increase(eshop_saga_duration_seconds_count{RELEASE, outcome="unknown"}[1h]))',
                    description="Sagas that took longer than a buyer waits; DTM goes on with them.",
                ),
                Number(
                    "Branch calls failed",
                    'sum(rate(dtm_branch_process_total{RELEASE, status="fail"}[RATE])) or vector(0)',
                    "ops",
                ),
            ],
        ),
        Row(
            "Sagas of orders, as the order service waits for them",
            [
                Graph(
                    "By outcome",
                    {"{{outcome}}": "sum by (outcome) (rate(eshop_saga_duration_seconds_count{RELEASE}[RATE]))"},
                    "ops",
                ),
                Graph(
                    "Duration",
                    {
                        f"p{share * 100:.0f}": quantile(share, "eshop_saga_duration_seconds")
                        for share in (0.5, 0.95, 0.99)
                    },
                    "s",
                ),
                Graph("Oldest that is waited for", {"{{instance}}": "eshop_saga_oldest_seconds{RELEASE}"}, "s"),
            ],
        ),
        Row(
            "Coordinators",
            [
                Graph(
                    "Requests",
                    {
                        "{{service}} {{api}} {{status}}": "sum by (service, api, status) (rate(dtm_server_process_total{RELEASE}[RATE]))"
                    },
                    "reqps",
                ),
                Graph(
                    "Answer, p95",
                    {"{{service}} {{api}}": quantile(0.95, "dtm_server_response_duration", "service, api")},
                    "s",
                ),
                Graph(
                    "Transactions worked on",
                    {
                        "{{service}} {{model}} {{status}}": "sum by (service, model, status) (rate(dtm_transaction_process_total{RELEASE}[RATE]))"
                    },
                    "ops",
                ),
                Graph(
                    "From creation to the end of a pass, p95",
                    {"{{service}} {{model}}": quantile(0.95, "dtm_transaction_handled_duration", "service, model")},
                    "s",
                ),
                Graph(
                    "Branch calls",
                    {
                        "{{service}} {{branchtype}} {{status}}": "sum by (service, branchtype, status) (rate(dtm_branch_process_total{RELEASE}[RATE]))"
                    },
                    "ops",
                    description="compensate: a saga was rolled back. fail: the branch refused or did not answer.",
                ),
                Graph("Coordinators up", {"{{service}} {{instance}}": 'up{RELEASE, service=~"dtm-.*"}'}),
            ],
        ),
        Row(
            "Branches, as the services serve them",
            [
                Graph(
                    "Calls", {"{{method}}": f"sum by (method) (rate({_GRPC}_count{{{_BRANCHES}}}[RATE]))"}, "ops", 12
                ),
                Graph("Duration, p95", {"{{method}}": quantile(0.95, _GRPC, "method", _BRANCHES)}, "s", 12),
            ],
        ),
    ],
)
