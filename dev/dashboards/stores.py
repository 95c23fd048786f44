"""Kafka, MySQL and Redis: what the services see of them, and what their exporters tell."""

from __future__ import annotations

from dev.dashboards.panels import Graph, Number, Row, frame

DASHBOARD = frame(
    "stores",
    "eshop / Stores",
    "Kafka, MySQL and Redis. The lower rows need the exporters that the chart can install (monitoring.exporters).",
    [
        Row(
            "As the services see them",
            [
                Graph(
                    "Kafka: messages waiting",
                    {"{{topic}} {{partition}}": "sum by (topic, partition) (eshop_kafka_consumer_lag{RELEASE})"},
                    stacked=True,
                ),
                Graph(
                    "Kafka: messages in and out",
                    {
                        "in {{topic}}": "sum by (topic) (rate(eshop_kafka_produced_total{RELEASE}[RATE]))",
                        "out {{topic}}": "sum by (topic) (rate(eshop_kafka_consumed_total{RELEASE}[RATE]))",
                    },
                    "ops",
                ),
                Graph(
                    "Connections in use",
                    {"{{service}} {{pool}}": "sum by (service, pool) (eshop_pool_connections_in_use{RELEASE})"},
                ),
                Graph(
                    "Pools: share in use",
                    {
                        "{{service}} {{pool}}": "sum by (service, pool) (eshop_pool_connections_in_use{RELEASE}) / sum by (service, pool) (eshop_pool_connections_max{RELEASE})"
                    },
                    "percentunit",
                ),
                Graph(
                    "Stores that answer",
                    {
                        "{{service}} {{dependency}}": 'min by (service, dependency) (eshop_dependency_up{RELEASE, dependency=~"mysql|redis|kafka.*"})'
                    },
                ),
                Graph(
                    "Dead letters",
                    {"{{topic}}": "sum by (topic) (increase(eshop_kafka_dead_letters_total{RELEASE}[5m]))"},
                ),
            ],
        ),
        Row(
            "MySQL",
            [
                Number("Up", "min(mysql_up{RELEASE})"),
                Graph("Queries", {"queries": "sum(rate(mysql_global_status_queries{RELEASE}[RATE]))"}, "ops", 10),
                Graph(
                    "Commits and rollbacks",
                    {
                        "{{handler}}": 'sum by (handler) (rate(mysql_global_status_handlers_total{RELEASE, handler=~"commit|rollback"}[RATE]))'
                    },
                    "ops",
                    10,
                ),
                Graph(
                    "Waits for row locks",
                    {
                        "waits": "sum(rate(mysql_global_status_innodb_row_lock_waits{RELEASE}[RATE]))",
                        "milliseconds waited": "sum(rate(mysql_global_status_innodb_row_lock_time{RELEASE}[RATE]))",
                    },
                    description="A hot stock row is locked once a batch.",
                ),
                Graph(
                    "Threads",
                    {
                        "running": "sum(mysql_global_status_threads_running{RELEASE})",
                        "connected": "sum(mysql_global_status_threads_connected{RELEASE})",
                        "allowed": "sum(mysql_global_variables_max_connections{RELEASE})",
                    },
                ),
                Graph(
                    "Log syncs", {"syncs": "sum(rate(mysql_global_status_innodb_os_log_fsyncs{RELEASE}[RATE]))"}, "ops"
                ),
            ],
        ),
        Row(
            "Redis",
            [
                Number("Up", "min(redis_up{RELEASE})"),
                Graph("Commands", {"commands": "sum(rate(redis_commands_processed_total{RELEASE}[RATE]))"}, "ops", 10),
                Graph(
                    "Time of a script, on average",
                    {
                        "{{cmd}}": 'sum by (cmd) (rate(redis_commands_duration_seconds_total{RELEASE, cmd=~"eval|evalsha"}[RATE])) / sum by (cmd) (rate(redis_commands_total{RELEASE, cmd=~"eval|evalsha"}[RATE]))'
                    },
                    "s",
                    10,
                ),
                Graph(
                    "Memory",
                    {
                        "used": "sum(redis_memory_used_bytes{RELEASE})",
                        "allowed": "sum(redis_memory_max_bytes{RELEASE})",
                    },
                    "bytes",
                ),
                Graph(
                    "Clients",
                    {
                        "connected": "sum(redis_connected_clients{RELEASE})",
                        "blocked": "sum(redis_blocked_clients{RELEASE})",
                    },
                ),
                Graph(
                    "Network",
                    {
                        "in": "sum(rate(redis_net_input_bytes_total{RELEASE}[RATE]))",
                        "out": "sum(rate(redis_net_output_bytes_total{RELEASE}[RATE]))",
                    },
                    "Bps",
                ),
            ],
        ),
        Row(
            "Kafka",
            [
                Graph("Brokers", {"brokers": "sum(kafka_brokers{RELEASE})"}),
                Graph(
                    "Messages written, by topic",
                    {
                        "{{topic}}": 'sum by (topic) (rate(kafka_topic_partition_current_offset{RELEASE, topic!~"__.*"}[RATE]))'
                    },
                    "ops",
                ),
                Graph(
                    "Lag of every group",
                    {"{{consumergroup}} {{topic}}": "sum by (consumergroup, topic) (kafka_consumergroup_lag{RELEASE})"},
                ),
            ],
        ),
    ],
)
