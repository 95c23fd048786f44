"""What the shop costs and how much room is left: CPU, memory, autoscalers, throttling."""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame, quantile

_CPU = "process_cpu_seconds_total{RELEASE}"
_PODS = 'NAMESPACE, pod=~"$release-.*"'

DASHBOARD = frame(
    "capacity",
    "eshop / Capacity",
    "CPU, memory, autoscalers and throttling. The lower row needs kube-state-metrics and the kubelet's cAdvisor.",
    [
        Row(
            "Now",
            [
                Number("CPUs in use", f"sum(rate({_CPU}[RATE]))"),
                Number("Memory in use", "sum(process_resident_memory_bytes{RELEASE})", "bytes"),
                Number(
                    "CPU for an order",
                    f'sum(rate({_CPU}[RATE])) / sum(rate(eshop_orders_total{{RELEASE, outcome="placed"}}[RATE]))',
                    "s",
                    description="CPU time of all services and coordinators for each order placed; stores not counted.",
                ),
                Number("Processes", "count(process_start_time_seconds{RELEASE})"),
                Number("Started in an hour", "sum(changes(process_start_time_seconds{RELEASE}[1h]))"),
                Number("Open files, most", "max(process_open_fds{RELEASE} / process_max_fds{RELEASE})", "percentunit"),
            ],
        ),
        Row(
            "Processes",
            [
                Graph("CPUs, by service", {"{{service}}": f"sum by (service) (rate({_CPU}[RATE]))"}, stacked=True),
                Graph(
                    "Memory, by service",
                    {"{{service}}": "sum by (service) (process_resident_memory_bytes{RELEASE})"},
                    "bytes",
                    stacked=True,
                ),
                Graph(
                    "CPUs of the busiest process",
                    {"{{service}}": f"max by (service) (rate({_CPU}[RATE]))"},
                    description="A service is one event loop: near 1 it needs another pod.",
                ),
                Graph(
                    "Lag of the event loop, p99",
                    {"{{service}}": quantile(0.99, "eshop_event_loop_lag_seconds", "service")},
                    "s",
                ),
                Graph("Open files", {"{{service}}": "sum by (service) (process_open_fds{RELEASE})"}),
                Graph(
                    "Processes, by service", {"{{service}}": "count by (service) (process_start_time_seconds{RELEASE})"}
                ),
            ],
        ),
        Row(
            "Kubernetes",
            [
                Graph(
                    "Pods of the autoscalers",
                    {
                        "{{horizontalpodautoscaler}}": "kube_horizontalpodautoscaler_status_current_replicas{NAMESPACE}",
                        "{{horizontalpodautoscaler}}, most": "kube_horizontalpodautoscaler_spec_max_replicas{NAMESPACE}",
                    },
                ),
                Graph(
                    "CPU in use / requested",
                    {
                        "{{container}}": f'sum by (container) (rate(container_cpu_usage_seconds_total{{{_PODS}, container!=""}}[RATE])) / sum by (container) (kube_pod_container_resource_requests{{{_PODS}, resource="cpu"}})'
                    },
                    "percentunit",
                ),
                Graph(
                    "Throttled",
                    {
                        "{{container}}": f'sum by (container) (rate(container_cpu_cfs_throttled_periods_total{{{_PODS}, container!=""}}[RATE])) / sum by (container) (rate(container_cpu_cfs_periods_total{{{_PODS}, container!=""}}[RATE]))'
                    },
                    "percentunit",
                    description="Share of the scheduler's periods in which the CPU limit stopped a container.",
                ),
                Graph(
                    "Memory in use / limit",
                    {
                        "{{container}}": f'max by (container) (container_memory_working_set_bytes{{{_PODS}, container!=""}}) / max by (container) (kube_pod_container_resource_limits{{{_PODS}, resource="memory"}})'
                    },
                    "percentunit",
                    12,
                ),
                Graph(
                    "Restarts in an hour",
                    {"{{pod}}": f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{_PODS}}}[1h]))"},
                    "short",
                    12,
                ),
            ],
        ),
    ],
)
