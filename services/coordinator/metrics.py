"""DTM's metrics under DTM's names. The label `api` is the route alone, so that a query string makes no new series."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

SERVER_INFO = Gauge("dtm_server_info", "The coordinator's version", ["version"])
_REQUESTS = Counter("dtm_server_process_total", "Requests received", ["type", "api", "status"])
_REQUEST_DURATION = Histogram("dtm_server_response_duration", "Seconds per request", ["type", "api"])
_TRANSACTIONS = Counter("dtm_transaction_process_total", "Passes over transactions", ["model", "status"])
_TRANSACTION_DURATION = Histogram(
    "dtm_transaction_handled_duration", "Seconds from a transaction's creation to the end of a pass", ["model"]
)
_BRANCHES = Counter("dtm_branch_process_total", "Branch calls", ["model", "branchid", "branchtype", "status"])

_STATUS = {True: "ok", False: "fail"}
_children: dict[tuple[Any, ...], Any] = {}


def _child(metric: Any, *labels: str) -> Any:
    """The metric's child, looked up once per set of labels."""
    key = (metric, *labels)
    child = _children.get(key)
    if child is None:
        child = _children[key] = metric.labels(*labels)
    return child


def count_branch(model: str, branch_id: str, op: str, ok: bool) -> None:
    _child(_BRANCHES, model, branch_id, op, _STATUS[ok]).inc()


def count_pass(model: str, ok: bool, age: float) -> None:
    _child(_TRANSACTIONS, model, _STATUS[ok]).inc()
    _child(_TRANSACTION_DURATION, model).observe(age)


@contextmanager
def count_request(transport: str, api: str) -> Iterator[None]:
    """Measures a request; one that raises has failed."""
    ok = False
    try:
        with _child(_REQUEST_DURATION, transport, api).time():
            yield
        ok = True
    finally:
        _child(_REQUESTS, transport, api, _STATUS[ok]).inc()
