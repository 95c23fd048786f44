from __future__ import annotations

import re
import sys

import pytest

from tests.asgi import request
from tests.unit.common.shop import Shop, app_of

FOLDER = "/apis/swagger"


@pytest.fixture(scope="module")
def app():
    return app_of(Shop())


async def test_the_page_needs_nothing_from_elsewhere(app):
    page = await request(app, "GET", f"{FOLDER}/index.html")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    names = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(names) == 4
    for name in names:
        assert "/" not in name
        answer = await request(app, "GET", f"{FOLDER}/{name}")
        assert (answer.status, bool(answer.body)) == (200, True)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_it_opens_our_description(app):
    assert b'"/apis/openapi.json"' in (await request(app, "GET", f"{FOLDER}/start.js")).body


@pytest.mark.parametrize("name", ["../flask_swagger_ui.py", "LICENSE", "%2e%2e/x", ""])
async def test_no_other_file_is_served(app, name):
    answer = await request(app, "GET", f"{FOLDER}/{name}")
    assert (answer.status, answer.json["code"]) == (404, 40400)


def test_the_packages_code_is_not_loaded(app):
    assert "flask" not in sys.modules
