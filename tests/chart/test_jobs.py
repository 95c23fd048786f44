"""Migrations, topics, purge, load test and `helm test`."""

from __future__ import annotations

import importlib.util

from tests.chart.rendering import CHART


def containers(pod):
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_migrations_run_before_the_accounts(render):
    job = render().pods()["Job/eshop-migrations-1"]
    assert [c["command"] for c in containers(job)] == [["python", "-m", "db.migrate"], ["python", "-m", "db.accounts"]]
    assert {environment(c)["ESHOP_MYSQL_USER"] for c in containers(job)} == {"root"}


def test_migrations_by_value(render):
    assert "eshop-migrations-1" not in render({"migrations": {"enabled": False}}).kind("Job")
    job = render({"migrations": {"accounts": False}}).pods()["Job/eshop-migrations-1"]
    assert [c["command"] for c in containers(job)] == [["python", "-m", "db.migrate"]]


def test_topics_by_value(render):
    rendered = render({"topics": {"partitions": 12, "replicationFactor": 3, "retentionHours": 24}})
    (container,) = containers(rendered.pods()["Job/eshop-topics-1"])
    assert container["command"] == ["python", "-m", "services.common.topics"]
    assert environment(container)["ESHOP_TOPIC_PARTITIONS"] == "12"
    assert environment(container)["ESHOP_TOPIC_REPLICATION"] == "3"
    assert environment(container)["ESHOP_TOPIC_RETENTION_HOURS"] == "24"
    assert "eshop-topics-1" not in render({"topics": {"enabled": False}}).kind("Job")


def test_purge_by_value(render):
    rendered = render({"purge": {"days": 30, "schedule": "0 1 * * 0"}})
    cron = rendered.one("CronJob", "eshop-purge")["spec"]
    assert cron["schedule"] == "0 1 * * 0"
    assert cron["concurrencyPolicy"] == "Forbid"
    (container,) = containers(rendered.pods()["CronJob/eshop-purge"])
    assert environment(container)["ESHOP_PURGE_DAYS"] == "30"
    assert environment(container)["ESHOP_MYSQL_USER"] == "eshop_purge"
    assert not render({"purge": {"enabled": False}}).kind("CronJob")


def test_the_load_test_is_off_by_default_and_a_job_when_asked_for(render):
    assert "eshop-load-test-1" not in render().kind("Job")
    values = {"enabled": True, "script": "flashSale.js", "vus": 7, "duration": "5s", "env": {"PRODUCT": "2"}}
    rendered = render({"loadTest": values})
    assert rendered.one("Job", "eshop-load-test-1")["spec"]["backoffLimit"] == 0
    (container,) = containers(rendered.pods()["Job/eshop-load-test-1"])
    assert container["args"] == ["run", "/scripts/flashSale.js"]
    expected = {"GATEWAY": "http://eshop-gateway:80", "VUS": "7", "DURATION": "5s", "PRODUCT": "2"}
    assert expected.items() <= environment(container).items()


def test_helm_test_places_orders_and_then_checks_the_invariants(render):
    rendered = render()
    pod = rendered.one("Pod", "eshop-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = containers(rendered.pods()["Pod/eshop-test"])
    assert container["command"][-1] == "python /scripts/place_orders.py && exec python -m dev.invariants"
    assert environment(container)["GATEWAY"] == "http://eshop-gateway:80"
    assert environment(container)["ESHOP_MYSQL_USER"] == "eshop_reader"
    script = rendered.one("ConfigMap", "eshop-test")["data"]["place_orders.py"]
    assert script == (CHART / "files" / "place_orders.py").read_text()


def test_every_module_that_a_job_starts_exists(render):
    for pod in render().pods().values():
        for container in containers(pod):
            command = container.get("command", [])
            if command[:2] == ["python", "-m"]:
                assert importlib.util.find_spec(command[2]), command


def test_jobs_can_be_repeated_by_an_upgrade(render):
    assert {name.rsplit("-", 1)[1] for name in render().kind("Job")} == {"1"}  # the revision is part of the name
