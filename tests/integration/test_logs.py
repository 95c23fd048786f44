"""What the services log while people use and misuse the shop: JSON lines, without people's data and without secrets."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal

import pytest

from dev.layout import SERVICES
from tests.shop import new_number, purchase


def sizes(stack) -> dict[str, int]:
    return {name: stack.layout.log(name).stat().st_size for name in SERVICES}


def logged(stack, since: dict[str, int]) -> str:
    """What the services have logged since those sizes of their files."""
    parts = []
    for name, size in since.items():
        with stack.layout.log(name).open("rb") as file:
            file.seek(size)
            parts.append(file.read().decode())
    return "".join(parts)


@pytest.fixture
def at_debug(stack):
    """Every service logs all it can, as long as the test runs."""
    signal_services(stack, signal.SIGUSR1)
    yield
    signal_services(stack, signal.SIGUSR2)


def signal_services(stack, number: int) -> None:
    for name in SERVICES:
        os.kill(stack.processes.pid(name), number)


async def test_nobodys_data_and_no_secret_is_logged(shop, stack, at_debug):
    before = sizes(stack)
    mark, phone = secrets.token_hex(6), str(new_number())[:9]
    person = {
        "name": f"name-{mark}",
        "email": f"{mark}@example.org",
        "password": f"word-{mark}",
        "phone": f"+49 {phone}",
    }
    created = await shop.post("/user", person)
    assert created.status == 200
    again = await shop.post("/user", person)  # the e-mail address is taken
    assert again.status == 409
    await shop.post("/user", {**person, "email": f"no-address-{mark}"})
    await shop.call("POST", "/user", raw=json.dumps(person).encode()[:-5])
    other = await shop.post("/user", {**person, "email": f"other-{mark}@example.org"})
    taken = await shop.call("PUT", f"/user/{other.data['id']}", {"email": person["email"]}, service="user")
    assert taken.status == 409, taken
    await shop.post("/user/list", {"columns": [{"name": "email", "value": person["email"]}]}, service="user")
    product, user = await shop.product(1), new_number()
    await asyncio.gather(*(shop.submit(purchase(user, product)) for _ in range(3)))
    await shop.get(f"/order/order-{mark}")
    text = logged(stack, before)
    assert '"level":"debug"' in text
    assert mark not in text
    assert phone not in text
    passwords = [path.read_text() for path in (stack.layout.folder / "secrets").iterdir() if path.is_file()]
    assert not [password for password in passwords if password.strip() and password.strip() in text]


async def test_every_line_is_json_from_stop_to_start(stack, shop):
    before = sizes(stack)
    await asyncio.to_thread(stack.restart, "product")
    await asyncio.to_thread(stack.wait_ready, "product")
    await shop.get("/product/list?page=0&limit=1")
    lines = [json.loads(line) for line in logged(stack, {"product": before["product"]}).splitlines()]
    assert [line for line in lines if not {"timestamp", "level", "service", "event"} <= line.keys()] == []
    events = [line["event"] for line in lines]
    assert {line["service"] for line in lines} == {"product"}
    assert [event for event in events if event in ("stopping", "stopped", "started")] == [
        "stopping",
        "stopped",
        "started",
    ]
