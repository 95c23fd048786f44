"""The seed: what is there already stays, in a shop of any age."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from dev.layout import ROOT


def seed(stack) -> str:
    command = [sys.executable, "-m", "db.seed"]
    environment = {**os.environ, "ESHOP_GATEWAY": stack.address("gateway", "http")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


async def test_the_seed_is_sown_once_behind_many_rows(shop, stack):
    """More rows than a page of a list holds are older than the seed's."""
    for number in range(101):
        assert (await shop.post("/product", {"name": f"old {number}", "price": 1})).status == 200
    await asyncio.to_thread(seed, stack)
    assert await asyncio.to_thread(seed, stack) == "user: 0 new, product: 0 new, stock: 0 new, coupon: 0 new\n"
    teapots = await shop.rows(
        "SELECT stock FROM eshop_stock.stock JOIN eshop_product.product ON product.id = product_id "
        "WHERE name = 'Teapot'"
    )
    assert [row["stock"] for row in teapots] == [1000]
