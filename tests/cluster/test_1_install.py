"""From an empty namespace to a working shop."""

from __future__ import annotations

from tests.cluster.release import COORDINATORS, SERVICES, STORES, eventually


def test_install_is_ready_soon_and_nothing_restarted(shop, record_property):
    record_property("install_seconds", round(shop.seconds))
    print(f"\nhelm install --wait: {shop.seconds:.0f} s")
    assert shop.restarts() == {}


def test_helm_test_places_orders_and_the_invariants_hold(shop):
    logs = shop.test()
    assert "all orders are as they should be" in logs
    assert "no user has orders beyond a sale's limit" in logs
    assert shop.restarts() == {}


def test_every_part_has_a_ready_pod(shop):
    for component in (*STORES, *COORDINATORS, *SERVICES):
        assert len(shop.pods(component)) == 1, component


def test_jobs_have_finished(shop):
    def finished():
        jobs = shop.get("jobs")["items"]
        return len(jobs) == 2 and all(job["status"].get("succeeded") == 1 for job in jobs)

    eventually("migrations and topics", finished, 60)


def test_the_notes_name_what_an_uninstall_leaves(shop):
    notes = shop.helm("get", "notes", shop.name)
    for store in STORES:
        assert f"data-eshop-{store}-0" in notes
    assert "helm test eshop" in notes


def test_the_purge_runs(shop):
    shop.kubectl("create", "job", "--from=cronjob/eshop-purge", "purge-now")
    status = {}

    def ended():
        status.update(shop.get("job", "purge-now")["status"])
        return {"succeeded", "failed"} & status.keys()

    eventually("the purge ends", ended, 90)
    assert status.get("succeeded") == 1, shop.kubectl("logs", "job/purge-now")
    shop.kubectl("delete", "job", "purge-now")
