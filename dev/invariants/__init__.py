"""The promises of the shop, checked against the running stores: `python -m dev.invariants`, or from tests `check(...)`.

First everything under way must come to its end (backlog.py); then the rows of all schemas must agree with each other
(mysql_checks.py), with Redis (redis_checks.py) and with the answers that buyers got (answers.py). Reads only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from dev.invariants.answers import Answers
from dev.invariants.backlog import Backlog
from dev.invariants.mysql_checks import check_answers, check_rows, connect, fingerprint
from dev.invariants.redis_checks import check_sales
from dev.invariants.result import Result
from dev.invariants.stores import Stores, from_environment

__all__ = ["Answers", "Result", "Stores", "check"]

Report = Callable[[str], None]


def check(
    stores: Stores | None = None,
    answers: Answers | None = None,
    timeout: float = 180,
    report: Report = lambda step: None,
) -> list[Result]:
    """Every promise with what breaks it, after at most `timeout` seconds of waiting for what is under way.

    `stores` are those of the environment or of the local stack where they are not given; `report` hears what is waited
    for. A shop under traffic is checked again until nothing moved meanwhile, or the time is over.
    """
    stores = stores or from_environment()
    deadline = time.monotonic() + timeout
    with closing(Backlog(stores)) as backlog:
        while True:
            waiting = backlog.wait(deadline, report)
            before = fingerprint(stores)
            results = [Result("nothing is under way", 1, waiting), *_compare(stores, answers or Answers())]
            moved = fingerprint(stores) != before or backlog.waiting_for()
            if not moved or all(result.holds for result in results) or time.monotonic() > deadline:
                return results
            report("orders came in meanwhile: checking again")


def _compare(stores: Stores, answers: Answers) -> Sequence[Result]:
    with closing(connect(stores)) as connection:
        return [*check_rows(connection), *check_sales(stores, connection), *check_answers(connection, answers)]
