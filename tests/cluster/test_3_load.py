"""Load from inside the cluster: the HPAs grow and shrink, and pods come and go with no failed request."""

from __future__ import annotations

from tests.cluster.load import check_answers, start
from tests.cluster.release import COORDINATORS, SERVICES, eventually

SCALED = ("order", "flash-sale")


def test_the_hpas_grow_under_the_k6_job_and_shrink_afterwards(shop):
    loads = [
        start(shop, "rush", "flashSale.js", "75s", vus=25, P95=20000, ANSWERS=1),
        start(shop, "orders", "submitOrder.js", "75s", vus=25, P95=20000, ANSWERS=1),
    ]
    for component in SCALED:
        seconds = eventually(f"{component} grows", lambda c=component: shop.replicas(c) >= 2, 120)
        print(f"\n{component}: two pods after {seconds:.0f} s")
    outcomes = [load.finish() for load in loads]
    for outcome in outcomes:
        assert outcome.passed, outcome.complaints
        assert outcome.number("http_req_failed") == 0
        assert outcome.number("accepted") > 500
    for component in SCALED:
        eventually(f"{component} shrinks", lambda c=component: shop.replicas(c) == 1, 240)
    assert shop.restarts() == {}


def test_restarting_every_deployment_under_load_fails_no_request(shop):
    # A rate that leaves room for starting pods.
    load = start(shop, "rollouts", "mixed.js", "10m", RATE=4, P95=60000, ANSWERS=1, VERBOSE=1)
    for component in (*SERVICES, *COORDINATORS):
        shop.kubectl("rollout", "restart", shop.workload(component))
        shop.await_ready(component)
    assert load.running()
    outcome = load.stop()
    assert outcome.number("http_req_failed") == 0, outcome.complaints
    assert outcome.number("checks_failed") == 0, outcome.complaints
    assert len(outcome.answers()) > 500
    check_answers(shop, outcome.answers())
