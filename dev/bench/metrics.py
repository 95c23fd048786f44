"""What the services say of themselves at /metrics: batch sizes, orders by outcome, event-loop lag."""

from __future__ import annotations

import math
import urllib.request
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from dev.layout import SERVICES
from dev.stack import Stack

_LAG, _REQUESTS = "eshop_event_loop_lag_seconds_bucket", "eshop_http_request_duration_seconds_bucket"

# (service, sample name, labels) -> value
Look = dict[tuple[str, str, tuple[tuple[str, str], ...]], float]

_KEPT = (
    "eshop_batch_items",
    "eshop_event_loop_lag_seconds",
    "eshop_flash_sale_answers",
    "eshop_http_request_duration_seconds",
    "eshop_orders",
)


def look(stack: Stack, services: Iterable[str] = SERVICES) -> Look:
    """The samples of all services that answer."""
    found: Look = {}
    for service in services:
        try:
            url = f"{stack.url(service)}/metrics"
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own loopback
                text = response.read().decode()
        except OSError:
            continue
        for family in text_string_to_metric_families(text):
            if family.name.startswith(_KEPT):
                for sample in family.samples:
                    found[service, sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def since(before: Look, after: Look) -> Look:
    """Growth of each counter; one that began anew with its process counts from nothing."""
    return {key: value - (before.get(key, 0) if value >= before.get(key, 0) else 0) for key, value in after.items()}


def batch_sizes(growth: Look) -> dict[str, float]:
    """Mean number of items by batcher."""
    sums = _by_label(growth, "eshop_batch_items_sum", "batcher")
    counts = _by_label(growth, "eshop_batch_items_count", "batcher")
    return {name: sums[name] / count for name, count in counts.items() if count}


def orders(growth: Look) -> dict[str, float]:
    """Orders by outcome."""
    return _by_label(growth, "eshop_orders_total", "outcome")


def loop_lag_p99(growth: Look) -> dict[str, float]:
    """Milliseconds by service: the upper bound of the bucket that holds the 99th percentile."""
    found = {}
    for service in SERVICES:
        counts = _buckets({key: value for key, value in growth.items() if key[0] == service}, _LAG)
        if any(counts.values()):
            total = max(counts.values())
            found[service] = 1000 * next(bound for bound, count in sorted(counts.items()) if count >= 0.99 * total)
    return found


def request_p99(growth: Look) -> float:
    """Milliseconds, of all requests: between the bounds of its bucket as if they were spread evenly; 0 without any."""
    lower = below = 0.0
    counts = _buckets(growth, _REQUESTS)
    wanted = 0.99 * max(counts.values(), default=0)
    for bound, count in sorted(counts.items()):
        if count >= wanted and count > below:
            return 1000 * (lower if math.isinf(bound) else lower + (bound - lower) * (wanted - below) / (count - below))
        lower, below = bound, count
    return 0.0


def _buckets(growth: Look, sample: str) -> dict[float, float]:
    """Observations up to each bound of a histogram, over all its labels."""
    found: dict[float, float] = {}
    for (_, name, labels), value in growth.items():
        if name == sample:
            bound = float(dict(labels)["le"])
            found[bound] = found.get(bound, 0) + value
    return found


def _by_label(growth: Look, sample: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for (_, name, labels), value in growth.items():
        if name == sample:
            key = dict(labels)[label]
            found[key] = found.get(key, 0) + value
    return found
