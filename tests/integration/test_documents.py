"""What every service tells about itself: its OpenAPI document, and Swagger UI over it."""

from __future__ import annotations

import pytest

from dev.layout import SERVICES


@pytest.mark.parametrize("name", SERVICES)
async def test_swagger_ui_is_served_over_the_services_own_document(shop, stack, name):
    async def page(path):
        async with shop.http.get(f"{stack.url(name)}{path}") as response:
            assert response.status == 200, path
            return await response.text()

    title = f"eshop {name}"
    assert f"<title>{title}</title>" in await page("/apis/swagger/index.html")
    assert '"/apis/openapi.json"' in await page("/apis/swagger/start.js")
    async with shop.http.get(f"{stack.url(name)}/apis/openapi.json") as response:
        document = await response.json()
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", title)
    assert document["paths"]
