"""One stack for the whole run, started when a test first asks for it, and the shop that runs on it.

Unit and contract tests ask for neither. ESHOP_TEST_STACK names the folder of a running stack to use instead (its
ESHOP_PORT_OFFSET beside it); such a stack is left running.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from dev.layout import ROOT
from dev.stack import Stack
from tests.kafka import Kafka
from tests.shop import Shop

# How long an example takes says nothing on a machine that is busy with other things.
settings.register_profile("eshop", deadline=None)
settings.load_profile("eshop")

FOLDER = ROOT / ".stack" / "tests"
# Clear of the default stack and of the ports that the kernel gives to clients.
OFFSET = 1537

# Whole folders of tests by what they need.
MARKERS = {"unit": "unit", "contract": "unit", "integration": "stack", "conformance": "stack", "e2e": "stack"}


def pytest_collection_modifyitems(items):
    for item in items:
        part = Path(item.path).relative_to(ROOT / "tests").parts[0]
        if part in MARKERS:
            item.add_marker(MARKERS[part])


@pytest.fixture(scope="session")
def stack():
    """The whole shop with real MySQL, Redis, Kafka and both coordinators; empty at the start of the run."""
    given = os.environ.get("ESHOP_TEST_STACK")
    if given:
        stack = Stack(folder=Path(given))
        stack.up()
        yield stack
        return
    stack = Stack(folder=FOLDER, offset=OFFSET)
    stack.down()
    shutil.rmtree(FOLDER)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
async def shop(stack):
    """Clients of everything in the stack."""
    shop = Shop(stack)
    yield shop
    await shop.close()


@pytest.fixture(scope="session")
def kafka(stack):
    """A second client of the stack's Kafka."""
    kafka = Kafka(stack.brokers)
    yield kafka
    kafka.close()
