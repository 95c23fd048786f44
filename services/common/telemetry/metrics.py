"""Every metric of the shop's processes, in one place. docs/metrics.md explains them to operators."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody reads

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

HTTP_DURATION = Histogram(
    "eshop_http_request_duration_seconds", "HTTP requests", ["method", "route", "status"], buckets=_SECONDS
)
GRPC_DURATION = Histogram(
    "eshop_grpc_server_duration_seconds", "gRPC calls served", ["method", "code"], buckets=_SECONDS
)

BATCH_SIZE = Histogram("eshop_batch_items", "Items in a batch", ["batcher"], buckets=_SIZES)
BATCH_WAIT = Histogram("eshop_batch_wait_seconds", "Wait of an item for its batch", ["batcher"], buckets=_SECONDS)
BATCH_DURATION = Histogram("eshop_batch_duration_seconds", "Run time of a batch", ["batcher"], buckets=_SECONDS)

ORDERS = Counter("eshop_orders_total", "Orders with a final outcome", ["source", "outcome", "reason"])
SAGAS = Histogram("eshop_saga_duration_seconds", "Sagas until their outcome", ["outcome"], buckets=_SECONDS)
SAGAS_OPEN = Gauge("eshop_sagas_open", "Sagas that are waited for")
SAGAS_OLDEST = Gauge("eshop_saga_oldest_seconds", "Age of the oldest saga that is waited for")
FLASH_SALE_ANSWERS = Counter("eshop_flash_sale_answers_total", "Answers to buyers", ["answer"])

KAFKA_PRODUCED = Counter("eshop_kafka_produced_total", "Messages that Kafka has acknowledged", ["topic"])
KAFKA_CONSUMED = Counter("eshop_kafka_consumed_total", "Messages whose offset is committed", ["topic"])
KAFKA_LAG = Gauge("eshop_kafka_consumer_lag", "Messages behind the end of the topic", ["topic", "partition"])
KAFKA_DEAD_LETTERS = Counter("eshop_kafka_dead_letters_total", "Messages sent to a dead-letter topic", ["topic"])

DEPENDENCY_UP = Gauge("eshop_dependency_up", "1 while the dependency answers", ["dependency"])
POOL_SIZE = Gauge("eshop_pool_connections_max", "Connections that a pool may open", ["pool"])
POOL_IN_USE = Gauge("eshop_pool_connections_in_use", "Connections in use", ["pool"])
LOOP_LAG = Histogram("eshop_event_loop_lag_seconds", "Lateness of a timer on the event loop", buckets=_SECONDS)
BUILD_INFO = Gauge("eshop_build_info", "1, with the versions as labels", ["version", "python"])


def watch_pool(pool: str, size: int, in_use: Callable[[], float]) -> None:
    """Shows a pool; `in_use` is asked at each scrape, so that taking a connection costs nothing more."""
    POOL_SIZE.labels(pool).set(size)
    POOL_IN_USE.labels(pool).set_function(in_use)
