"""Runtime: ready when everything answers, and stopped in order: unready, intake, door, resources."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from services.common import health
from services.common.runtime import Runtime
from services.common.settings import ProcessSettings
from tests.unit.common.shop import ORDER_SERVICE, SUBMIT, Shop


class Dependency:
    """Notes what happens to it in `story`."""

    def __init__(self, name, story, up=True):
        self.name = name
        self.story = story
        self.up = up

    async def open(self):
        self.story.append(f"open {self.name}")

    async def close(self):
        self.story.append(f"close {self.name}")

    async def check(self):
        if self.up == "hangs":
            await asyncio.sleep(60)
        if not self.up:
            raise ConnectionRefusedError


@pytest.fixture
def story():
    return []


@pytest.fixture(params=["hypercorn", "uvicorn"])
async def process(request, story, unused_tcp_port_factory, monkeypatch):
    """A runtime that serves an order service; `go()` starts it, `stop` stops it."""
    monkeypatch.setattr(health, "_SECONDS_UNREADY", 0.05)
    monkeypatch.setattr(health, "_SECONDS_READY", 0.05)
    monkeypatch.setattr(health, "_TIMEOUT", 0.2)
    settings = ProcessSettings(
        http_host="127.0.0.1",
        http_port=unused_tcp_port_factory(),
        grpc_port=unused_tcp_port_factory(),
        http_server=request.param,
        grace_seconds=5,
    )
    runtime = Runtime("order", settings)
    runtime.stop = asyncio.Event()
    running = []

    def go():
        running.append(asyncio.create_task(runtime.run(runtime.stop)))
        return running[0]

    runtime.go = go
    yield runtime
    runtime.stop.set()
    await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 15)


async def ask(process, path, method="GET", **options):
    """Status and body, as soon as somebody listens."""
    url = f"http://127.0.0.1:{process.settings.http_port}{path}"
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                async with session.request(method, url, **options) as response:
                    return response.status, await response.json(content_type=None)
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
    raise AssertionError("nobody listens")


async def readiness(process, status):
    async with asyncio.timeout(5):
        while (found := await ask(process, "/readyz"))[0] != status:  # noqa: ASYNC110 - another process would do so
            await asyncio.sleep(0.05)
    return found[1]


@pytest.mark.parametrize("problem", [False, "hangs"])
async def test_unready_while_a_dependency_is_missing(process, story, problem):
    missing = await process.open(Dependency("mysql", story, up=problem))
    await process.open(Dependency("kafka", story))
    process.go()
    body = await readiness(process, 503)
    assert (await ask(process, "/healthz"))[0] == 200
    missing.up = True
    body = await readiness(process, 200)
    assert body == {
        "status": "ready",
        "dependencies": [{"name": "mysql", "ready": True}, {"name": "kafka", "ready": True}],
    }
    missing.up = False
    body = await readiness(process, 503)
    assert body["dependencies"] == [{"name": "mysql", "ready": False}, {"name": "kafka", "ready": True}]


async def test_the_stop_is_ordered(process, story):
    await process.open(Dependency("mysql", story))
    await process.open(Dependency("kafka", story))

    async def consume(stopping):
        await stopping.wait()
        story.append("unready" if not process.readiness.ready else "ready")
        await asyncio.sleep(0.1)
        story.append("batch finished")

    process.loop("consumer", consume)
    running = process.go()
    await readiness(process, 200)
    process.stop.set()
    await asyncio.wait_for(running, 10)
    assert story == ["open mysql", "open kafka", "unready", "batch finished", "close kafka", "close mysql"]


async def test_a_request_in_flight_is_answered(process, story):
    """Longer than the stop takes to begin: the door closes behind it."""
    began, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Shop):
        async def submit(self, request):
            began.set()
            await go_on.wait()
            return self.answers["submit"](request)

    process.serve(ORDER_SERVICE, Slow())
    running = process.go()
    await readiness(process, 200)
    asking = asyncio.create_task(ask(process, "/api/v1/order/submit", "POST", data=SUBMIT))
    await asyncio.wait_for(began.wait(), 5)
    process.stop.set()
    await asyncio.sleep(0.3)
    assert not running.done()
    go_on.set()
    status, body = await asyncio.wait_for(asking, 5)
    assert (status, body["code"]) == (200, 0)
    await asyncio.wait_for(running, 10)


async def test_a_loop_that_fails_ends_the_process(process):
    async def broken(stopping):
        raise ZeroDivisionError

    process.loop("broken", broken)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(process.go(), 10)
