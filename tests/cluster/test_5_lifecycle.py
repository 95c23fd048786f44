"""Upgrade, rollback, uninstall, and several releases side by side."""

from __future__ import annotations

import os
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chart.rendering import next_version
from tests.cluster.conftest import remove_namespace
from tests.cluster.release import ROOT, STORES, Release, eventually, make_namespace, run

COUNT = "select count(*) from eshop_order.order_record"
COLUMN = (
    "select count(*) from information_schema.columns "
    "where table_schema='eshop_order' and table_name='order_record' and column_name='note'"
)
BUILD = os.environ.get("BUILD")


@pytest.fixture(scope="module")
def next_migrations():
    """Tag of a migrations image with one more revision of the order schema."""
    if not BUILD:
        pytest.skip("BUILD names no command that builds images")
    versions = sorted((ROOT / "db" / "order" / "versions").glob("[0-9]*.py"))
    options = ["--build-arg", f"HEAD={versions[-1].name.split('_')[0]}"]
    folder = ROOT / "tests" / "cluster" / "next_migrations"
    run(*shlex.split(BUILD), "eshop/migrations:next", folder, "-f", folder / "Dockerfile", *options)
    load = os.environ.get("LOAD")
    if load:
        run(*shlex.split(load), "eshop/migrations:next")
    return "next"


@pytest.mark.usefixtures("shop")
class TestUpgrade:
    def test_an_upgrade_to_a_next_version_with_a_migration_keeps_data_and_passwords(
        self, shop, next_migrations, tmp_path
    ):
        passwords, orders = shop.secrets(), shop.mysql(COUNT)
        assert shop.mysql(COLUMN) == ["0"]
        shop.upgrade(f"migrations.image.tag={next_migrations}", chart=next_version(tmp_path))
        labels = shop.get("deployment", f"{shop.name}-order")["metadata"]["labels"]
        assert labels["app.kubernetes.io/version"] == "0.2.0"
        assert shop.mysql(COLUMN) == ["1"]
        assert shop.secrets() == passwords
        assert shop.mysql(COUNT) == orders
        assert "all orders are as they should be" in shop.test()

    def test_a_rollback_to_the_older_version_works_on_the_newer_schema(self, shop, next_migrations):
        passwords = shop.secrets()
        shop.helm("rollback", shop.name, "1", "--wait", "--wait-for-jobs", "--timeout", "10m")
        assert shop.mysql(COLUMN) == ["1"]
        assert shop.secrets() == passwords
        assert "all orders are as they should be" in shop.test()


class TestSideBySide:
    def test_two_in_one_namespace_and_two_in_two_namespaces(self, shop):
        elsewhere = f"{shop.namespace}-2"
        remove_namespace(elsewhere)
        make_namespace(elsewhere)
        volatile = [f"{store}.persistence.enabled=false" for store in STORES]
        same_namespace = Release("second", shop.namespace, volatile)
        same_name = Release(shop.name, elsewhere, volatile)
        try:
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda release: release.install(), (same_namespace, same_name)))
            orders = shop.mysql(COUNT)
            for release in (same_namespace, same_name):
                assert "all orders are as they should be" in release.test()
                assert release.restarts() == {}
                assert release.secrets() != shop.secrets()
            assert shop.mysql(COUNT) == orders  # theirs went elsewhere
            assert "all orders are as they should be" in shop.test()
        finally:
            same_namespace.helm("uninstall", same_namespace.name, "--wait", check=False)
            remove_namespace(elsewhere)


class TestUninstall:
    def test_it_leaves_the_claims_alone_and_a_new_install_finds_the_data(self, shop):
        orders = shop.mysql(COUNT)
        old = shop.secrets()
        for job in ("rush", "orders", "rollouts", "losses"):
            shop.kubectl("delete", "job", f"{shop.name}-{job}", "--ignore-not-found")
        for kind in ("pod", "configmap"):
            shop.kubectl("delete", kind, f"{shop.name}-answers", "--ignore-not-found")
        shop.helm("uninstall", shop.name, "--wait", "--timeout", "5m")
        kinds = run("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
        listed = ",".join(
            kind for kind in kinds if kind not in ("events", "events.events.k8s.io", "pods.metrics.k8s.io")
        )
        claims = {f"persistentvolumeclaim/data-{shop.name}-{store}-0" for store in STORES}
        selector = f"app.kubernetes.io/instance={shop.name}"

        def left():
            return set(shop.kubectl("get", listed, "-l", selector, "-o", "name").split())

        eventually("only the claims are left", lambda: left() == claims, 120)

        shop.install()
        assert shop.secrets() != old
        assert shop.mysql(COUNT) == orders
        assert "all orders are as they should be" in shop.test()
        assert shop.restarts() == {}
