"""Sagas that this process waits for: how long they take, how they end, and how old the oldest is that has not."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Literal

from services.common.telemetry import metrics, traces

Outcome = Literal["succeed", "failed", "unknown"]

_durations = {outcome: metrics.SAGAS.labels(outcome) for outcome in ("succeed", "failed", "unknown")}
_open: set[Observed] = set()


class Observed:
    """Measures one saga; the block says the outcome, and is left early where nobody knows it."""

    def __enter__(self) -> Observed:
        self._start = time.monotonic()
        self.outcome: Outcome = "unknown"
        _open.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _open.discard(self)
        _durations[self.outcome].observe(self.seconds, traces.exemplar())
        traces.annotate("saga.outcome", self.outcome)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start


metrics.SAGAS_OPEN.set_function(lambda: len(_open))
metrics.SAGAS_OLDEST.set_function(lambda: max((saga.seconds for saga in _open), default=0))
