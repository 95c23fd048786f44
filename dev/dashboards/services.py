"""Every service by rate, errors and duration, with its batches, its event loop and its dependencies."""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame, quantile

_HTTP = "eshop_http_request_duration_seconds"
_GRPC = "eshop_grpc_server_duration_seconds"
# What a service did wrong; the other codes are answers that a caller may get.
_FAULTS = 'code=~"INTERNAL|UNKNOWN|UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED"'

DASHBOARD = frame(
    "services",
    "eshop / Services",
    "Rate, errors and duration of every service.",
    [
        Row(
            "Now",
            [
                Number("HTTP requests a second", f"sum(rate({_HTTP}_count{{RELEASE}}[RATE]))", "reqps"),
                Number("gRPC calls a second", f"sum(rate({_GRPC}_count{{RELEASE}}[RATE]))", "reqps"),
                Number(
                    "HTTP answers 5xx",
                    f'sum(rate({_HTTP}_count{{RELEASE, status=~"5.."}}[RATE])) / sum(rate({_HTTP}_count{{RELEASE}}[RATE])) or vector(0)',
                    "percentunit",
                ),
                Number(
                    "gRPC faults",
                    f"sum(rate({_GRPC}_count{{RELEASE, {_FAULTS}}}[RATE])) / sum(rate({_GRPC}_count{{RELEASE}}[RATE])) or vector(0)",
                    "percentunit",
                ),
                Number("Processes", "count(eshop_build_info{RELEASE})"),
                Number("Dependencies missing", "count(eshop_dependency_up{RELEASE} == 0) or vector(0)"),
            ],
        ),
        Row(
            "HTTP",
            [
                Graph("Requests", {"{{service}}": f"sum by (service) (rate({_HTTP}_count{{RELEASE}}[RATE]))"}, "reqps"),
                Graph(
                    "Answers other than 2xx",
                    {
                        "{{service}} {{status}}": f'sum by (service, status) (rate({_HTTP}_count{{RELEASE, status!~"2.."}}[RATE]))'
                    },
                    "reqps",
                ),
                Graph("Duration, p95", {"{{service}} {{route}}": quantile(0.95, _HTTP, "service, route")}, "s"),
            ],
        ),
        Row(
            "gRPC",
            [
                Graph("Calls", {"{{service}}": f"sum by (service) (rate({_GRPC}_count{{RELEASE}}[RATE]))"}, "reqps"),
                Graph(
                    "Answers other than OK",
                    {
                        "{{service}} {{code}}": f'sum by (service, code) (rate({_GRPC}_count{{RELEASE, code!="OK"}}[RATE]))'
                    },
                    "reqps",
                    description="ABORTED is a refusal that DTM rolls a saga back for, not a fault.",
                ),
                Graph("Duration, p95", {"{{method}}": quantile(0.95, _GRPC, "method")}, "s"),
            ],
        ),
        Row(
            "Batches",
            [
                Graph(
                    "Items in a batch, on average",
                    {
                        "{{batcher}}": "sum by (batcher) (rate(eshop_batch_items_sum{RELEASE}[RATE])) / sum by (batcher) (rate(eshop_batch_items_count{RELEASE}[RATE]))"
                    },
                ),
                Graph(
                    "Wait for a batch, p95", {"{{batcher}}": quantile(0.95, "eshop_batch_wait_seconds", "batcher")}, "s"
                ),
                Graph(
                    "Run time of a batch, p95",
                    {"{{batcher}}": quantile(0.95, "eshop_batch_duration_seconds", "batcher")},
                    "s",
                ),
            ],
        ),
        Row(
            "Processes",
            [
                Graph(
                    "Lag of the event loop, p99",
                    {"{{service}}": quantile(0.99, "eshop_event_loop_lag_seconds", "service")},
                    "s",
                    description="How late timers fire: the first sign of something that blocks the process.",
                ),
                Graph(
                    "Dependencies that answer",
                    {"{{service}} {{dependency}}": "min by (service, dependency) (eshop_dependency_up{RELEASE})"},
                ),
                Graph(
                    "Versions", {"{{service}} {{version}}": "count by (service, version) (eshop_build_info{RELEASE})"}
                ),
            ],
        ),
    ],
)
