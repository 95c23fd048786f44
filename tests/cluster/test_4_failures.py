"""Deleting any single pod, the stores' included, under load: the shop recovers by itself and keeps every promise."""

from __future__ import annotations

from tests.cluster.load import check_answers, start
from tests.cluster.release import COORDINATORS, SERVICES, STORES


def test_the_shop_recovers_from_the_loss_of_each_pod(shop):
    load = start(shop, "losses", "mixed.js", "10m", RATE=3, P95=60000, ANSWERS=1, PRODUCT=1)
    for component in (*SERVICES, *COORDINATORS, *STORES):
        (pod, *_) = shop.pods(component)
        # One second: a drain cut short, as when a node goes.
        shop.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=1")
        shop.await_ready()
    assert load.running()
    outcome = load.stop()
    assert len(outcome.answers()) > 500
    check_answers(shop, outcome.answers())
    assert "all orders are as they should be" in shop.test()
