"""Passwords: generated, mounted as files, one account for each service, and nowhere else."""

from __future__ import annotations

import base64
import json

ACCOUNTS = ("user", "product", "order", "stock", "coupon", "pay", "dtm", "purge", "reader")


def mounted(pod):
    """Keys of Secrets that a pod's volumes show, by file name."""
    return {
        item["path"]: (source["secret"]["name"], item["key"])
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources") or []
        for item in source["secret"]["items"]
    }


def test_every_account_has_a_long_password_of_its_own(render):
    data = render().one("Secret", "eshop-mysql")["data"]
    assert data.keys() == {f"{account}-password" for account in (*ACCOUNTS, "admin")}
    passwords = [base64.b64decode(value) for value in data.values()]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) == 32 for password in passwords)
    assert render().one("Secret", "eshop-redis")["data"].keys() == {"password"}


def test_a_secret_of_ones_own_takes_the_place_of_the_generated_one(render):
    rendered = render({"mysql": {"existingSecret": "mine"}, "redis": {"existingSecret": "mine-too"}})
    assert not rendered.kind("Secret")
    pods = rendered.pods()
    assert mounted(pods["Deployment/eshop-order"]) == {"mysql_password": ("mine", "order-password")}
    assert mounted(pods["Deployment/eshop-flash-sale"]) == {"redis_password": ("mine-too", "password")}
    assert pods["StatefulSet/eshop-mysql"]["spec"]["volumes"][-1]["secret"]["secretName"] == "mine"


def test_a_service_sees_its_own_password_and_no_other(render):
    pods = render().pods()
    for service in ("user", "product", "order", "stock", "coupon", "pay"):
        assert mounted(pods[f"Deployment/eshop-{service}"]) == {
            "mysql_password": ("eshop-mysql", f"{service}-password")
        }
    assert mounted(pods["Deployment/eshop-gateway"]) == {}
    assert mounted(pods["CronJob/eshop-purge"]) == {"mysql_password": ("eshop-mysql", "purge-password")}
    assert mounted(pods["Pod/eshop-test"])["mysql_password"] == ("eshop-mysql", "reader-password")


def test_only_the_migrations_see_the_administrator(render):
    for name, pod in render().pods().items():
        shown = json.dumps(pod["spec"]["volumes"])
        assert ("admin-password" in shown) == (name in ("Job/eshop-migrations-1", "StatefulSet/eshop-mysql")), name


def test_migrations_get_every_account_by_the_names_that_they_read(render):
    files = mounted(render().pods()["Job/eshop-migrations-1"])
    assert files == {
        "mysql_password": ("eshop-mysql", "admin-password"),
        **{f"{account}_mysql_password": ("eshop-mysql", f"{account}-password") for account in ACCOUNTS},
    }


def test_no_password_in_config_maps_commands_or_plain_variables(render):
    rendered = render()
    passwords = {
        base64.b64decode(value).decode()
        for secret in rendered.kind("Secret").values()
        for value in secret["data"].values()
    }
    text = json.dumps([o for o in rendered if o["kind"] != "Secret"])
    assert not [password for password in passwords if password in text]
    for name, pod in rendered.pods().items():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            literal = [v["name"] for v in container.get("env", []) if "PASSWORD" in v["name"] and "value" in v]
            assert not literal, name


def test_only_the_official_coordinator_has_a_password_variable(render):
    def holders(engine):
        return {
            name
            for name, pod in render({"dtm": {"engine": engine}}).pods().items()
            for container in pod["spec"]["containers"]
            for variable in container.get("env", [])
            if "secretKeyRef" in json.dumps(variable)
        }

    assert holders("official") == {"Deployment/eshop-dtm-mysql", "Deployment/eshop-dtm-redis"}
    assert holders("embedded") == set()
