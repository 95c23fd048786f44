"""Endpoints under test: the embedded coordinator on both stores always, the original DTM where there is one.

ESHOP_DTM_BIN: its binary, started here on both stores. ESHOP_DTM_HTTP and ESHOP_DTM_GRPC (host:port): one that runs.
"""

from __future__ import annotations

import os

import pytest

from .coordinators import Coordinator, create_mysql_space, create_redis_space, drop_mysql_space
from .dtm import Dtm
from .participants import Participants

DTM_BINARY = os.environ.get("ESHOP_DTM_BIN", "")
DTM_ENDPOINT = os.environ.get("ESHOP_DTM_HTTP", "")
STARTED = ["embedded-mysql", "embedded-redis", *(["original-mysql", "original-redis"] if DTM_BINARY else [])]
TARGETS = [*STARTED, *(["endpoint"] if DTM_ENDPOINT else [])]


@pytest.fixture(scope="session")
async def participants():
    participants = Participants()
    await participants.open()
    yield participants
    await participants.close()


@pytest.fixture(scope="session")
def spaces(stack):
    """Makes StoreSpaces by driver; drops them at the end."""
    made = []

    def make(driver):
        space = create_mysql_space(stack) if driver == "mysql" else create_redis_space(stack)
        made.append(space)
        return space

    yield make
    for space in made:
        if space.driver == "mysql":
            drop_mysql_space(stack, space)


@pytest.fixture(scope="session")
def coordinators(tmp_path_factory):
    """Makes and starts coordinators over a space; ends them at the end."""
    made = []

    def make(space, *, original=False, **changes):
        folder = tmp_path_factory.mktemp("coordinator")
        coordinator = Coordinator(space, folder, DTM_BINARY if original else "", **changes)
        coordinator.start()
        made.append(coordinator)
        return coordinator

    yield make
    for coordinator in made:
        if coordinator.process.poll() is None:
            coordinator.stop()


@pytest.fixture(scope="session")
async def dtms(spaces, coordinators):
    """Makes a Dtm client of a target of TARGETS."""
    clients = {}

    async def make(target):
        if target not in clients:
            http, grpc = DTM_ENDPOINT, os.environ.get("ESHOP_DTM_GRPC", "")
            if target != "endpoint":
                origin, _, driver = target.partition("-")
                coordinator = coordinators(spaces(driver), original=origin == "original")
                await coordinator.wait_ready()
                http, grpc = coordinator.http, coordinator.grpc
            clients[target] = Dtm(http, grpc)
        return clients[target]

    yield make
    for client in clients.values():
        await client.close()
