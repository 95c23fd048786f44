"""The arithmetic of the bench: what k6 and /metrics say, what was added between two looks, and ratios of two runs."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from dev.bench import metrics, report, usage
from dev.bench.k6 import _figures
from dev.bench.measure import Measurement

SUMMARY = {
    "http_req_duration": {"med": 10.0, "p(95)": 20.0, "p(99)": 30.0, "max": 40.0},
    "http_reqs": {"count": 1000, "rate": 50.0},
    "http_req_failed": {"passes": 3, "fails": 997, "value": 0.003},
    "accepted": {"count": 900, "rate": 45.0},
    "sold_out": {"count": 90, "rate": 4.5},
    "refused": {"count": 7, "rate": 0.35},
}


@pytest.fixture
def figures():
    return _figures(SUMMARY, 21.0, 0.5, 100.0, held=False)


@pytest.fixture
def measurement(figures):
    return Measurement(
        workload="submit",
        figures=figures,
        seconds=30.0,
        completed=900,
        unfinished=[],
        cpu={"gateway": 0.1, "mysql": 0.2, "k6": 0.5},
        other_cpu=3.0,
        memory={"gateway": 100.0, "k6": 50.0},
        batches={"placement": 50.0},
        store_work={"mysql commits": 90},
        loop_lag={"gateway": 5.0},
        orders={"placed": 900.0},
    )


def test_figures_of_k6(figures):
    assert (figures.requests, figures.accepted, figures.refused, figures.failed) == (1000, 900, 97, 3)
    assert figures.seconds == 20.0
    assert (figures.p50, figures.p95, figures.p99, figures.longest) == (10, 20, 30, 40)
    assert not figures.thresholds_held


def test_a_script_without_orders_has_none():
    kept = {name: SUMMARY[name] for name in ("http_req_duration", "http_reqs", "http_req_failed")}
    assert _figures(kept, 1.0, 0.0, 0.0, held=True).accepted == 0


def test_costs_and_rates(measurement):
    row = report.as_json(measurement)
    assert row["microseconds"] == pytest.approx({"gateway": 100, "mysql": 200, "k6": 500})
    assert row["groups"] == pytest.approx({"shop": 100, "stores": 200, "k6": 500})
    assert (row["accepted_per_second"], row["answered_per_second"], row["completed_per_second"]) == (45, 50, 30)
    json.dumps(row)


def test_where_nobody_sent_requests_orders_are_counted(measurement):
    measurement.figures = None
    row = report.as_json(measurement)
    assert row["microseconds"]["mysql"] == pytest.approx(0.2e6 / 900)
    assert row["accepted_per_second"] is None


def test_what_was_added_between_two_looks():
    before, after = {"gateway": 10.0, "order": 50.0}, {"gateway": 12.5, "order": 3.0, "pay": 1.0}
    assert usage.difference(before, after) == {"gateway": 2.5, "order": 3.0, "pay": 1.0}  # order began anew


def sample(name, value, service="order", **labels):
    return {(service, name, tuple(sorted(labels.items()))): float(value)}


def test_batches_and_orders_between_two_looks():
    before = sample("eshop_batch_items_sum", 100, batcher="placement") | sample(
        "eshop_batch_items_count", 10, batcher="placement"
    )
    after = (
        sample("eshop_batch_items_sum", 400, batcher="placement")
        | sample("eshop_batch_items_count", 16, batcher="placement")
        | sample("eshop_orders_total", 7, outcome="placed", source="submit", code="0")
        | sample("eshop_orders_total", 5, outcome="placed", source="queue", code="0")
    )
    growth = metrics.since(before, after)
    assert metrics.batch_sizes(growth) == {"placement": 50.0}
    assert metrics.orders(growth) == {"placed": 12.0}


def test_the_99th_percentile_of_the_loops_lag():
    buckets = {"0.001": 90, "0.01": 98, "0.1": 99, "+Inf": 100}
    growth = {}
    for bound, count in buckets.items():
        growth |= sample("eshop_event_loop_lag_seconds_bucket", count, le=bound)
    assert metrics.loop_lag_p99(growth) == {"order": 100.0}


def test_the_99th_percentile_of_requests_lies_inside_its_bucket():
    buckets = {"0.1": 90, "0.25": 98, "0.5": 100, "+Inf": 100}
    growth = {}
    for bound, count in buckets.items():
        growth |= sample("eshop_http_request_duration_seconds_bucket", count, route="/a", le=bound)
        growth |= sample("eshop_http_request_duration_seconds_bucket", count, route="/b", le=bound)
    assert metrics.request_p99(growth) == pytest.approx(375)
    assert metrics.request_p99({}) == 0


def test_two_runs_side_by_side(measurement, tmp_path):
    def keep(name, row):
        path = tmp_path / name
        path.write_text(json.dumps({"setting": {"gateway": name}, "rows": [row]}))
        return path

    slow = report.as_json(measurement)
    fast = {**slow, "accepted_per_second": 90.0, "microseconds": {"gateway": 50.0}}
    output = io.StringIO()
    report.compare(Console(file=output, width=250), keep("a", slow), keep("b", fast))
    text = output.getvalue()
    assert "2.00" in text  # twice as many accepted
    assert "0.50" in text  # the gateway at half the cost
