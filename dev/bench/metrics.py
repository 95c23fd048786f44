"""What the services say of themselves at /metrics: batch sizes, orders by outcome, event-loop lag."""

from __future__ import annotations

import math
import urllib.request
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from dev.layout import SERVICES
from dev.stack import Stack

# (service, sample name, labels) -> value
Look = dict[tuple[str, str, tuple[tuple[str, str], ...]], float]

_KEPT = ("eshop_batch_items", "eshop_event_loop_lag_seconds", "eshop_orders", "eshop_saga", "eshop_flash_sale_answers")


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
    return {
        key: value - (before.get(key, 0) if value >= before.get(key, 0) else 0)
        for key, value in after.items()
        if value != before.get(key, 0)
    }


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
        buckets = sorted(
            (float(dict(labels)["le"]), value)
            for (name, sample, labels), value in growth.items()
            if name == service and sample == "eshop_event_loop_lag_seconds_bucket"
        )
        total = max((value for _, value in buckets), default=0)
        if total:
            bound = next((le for le, value in buckets if value >= 0.99 * total), math.inf)
            found[service] = bound * 1000
    return found


def _by_label(growth: Look, sample: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for (_, name, labels), value in growth.items():
        if name == sample:
            key = dict(labels)[label]
            found[key] = found.get(key, 0) + value
    return found


def as_text(values: Mapping[str, float]) -> str:
    """`placement 61, gateway.SubmitMany 33`."""
    return ", ".join(f"{name} {value:.0f}" for name, value in sorted(values.items()))
