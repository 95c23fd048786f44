"""The conformance list of the protocol: every case on every target, all of them in flight at the same time."""

from __future__ import annotations

import asyncio

import pytest

# They register their cases.
from . import cases_api, cases_calls, cases_crash, cases_message, cases_saga  # noqa: F401
from .cases import CASES, CRASH_CASES
from .conftest import STARTED, TARGETS
from .dtm import Sender

# Cases start one after the other, so that the first calls of all of them do not come at once.
_STAGGER_SECONDS = 0.015


@pytest.fixture(scope="session")
async def running(request, dtms, participants):
    """The tasks of the cases that were selected, by target and case."""
    selected = [params for item in request.session.items if (params := _params(item, "running"))]
    targets = {target: await dtms(target) for target in dict.fromkeys(params["target"] for params in selected)}
    tasks = {}
    for params in selected:
        dtm, case = targets[params["target"]], params["case"]
        run = case.run(dtm, Sender(dtm, participants, case.transport), participants)
        tasks[params["target"], case] = asyncio.create_task(run)
        await asyncio.sleep(_STAGGER_SECONDS)
    yield tasks
    await _end(tasks.values())


@pytest.fixture(scope="session")
async def crashing(request, spaces, coordinators, participants):
    """The same of the crash cases, which begin when the others are over: they keep the machine busy."""
    selected = [params for item in request.session.items if (params := _params(item, "crashing"))]
    tasks = {}
    for params in selected:
        run = params["case"].run(params["target"], spaces, coordinators, participants)
        tasks[params["target"], params["case"]] = asyncio.create_task(run)
    yield tasks
    await _end(tasks.values())


def _params(item, fixture):
    return item.callspec.params if fixture in getattr(item, "fixturenames", ()) else None


async def _end(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("target", TARGETS)
async def test_case(request, running, target, case):
    if target == "original-redis" and case.run.__name__ == "topics":
        request.applymarker(pytest.mark.xfail(reason="DTM 1.18 looks for topics in one page of SCAN only"))
    await running[target, case]


@pytest.mark.slow
@pytest.mark.parametrize("case", CRASH_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("target", STARTED)
async def test_crash_case(crashing, target, case):
    await crashing[target, case]
