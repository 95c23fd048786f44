"""Passwords: generated, mounted as files, one account for each service, and nowhere else."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chart.rendering import EVERYTHING, merge

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


class ApiServer(BaseHTTPRequestHandler):
    """As much of one as `lookup` asks for: a cluster that has these Secrets and nothing else."""

    secrets: dict[str, dict[str, str]] = {}  # noqa: RUF012

    def do_GET(self):
        path = self.path.partition("?")[0]
        verbs = {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get"]}
        answers = {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [verbs]},
        }
        for name, data in self.secrets.items():
            found = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "data": data}
            answers[f"/api/v1/namespaces/shop/secrets/{name}"] = found
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(answers.get(path, missing)).encode()
        self.send_response(200 if path in answers else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster():
    """cluster({"eshop-redis": {"password": …}}) -> options that let helm see it."""
    servers = []

    def run(secrets):
        handler = type("Handler", (ApiServer,), {"secrets": secrets})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return ["--dry-run=server", "--kube-apiserver", f"http://127.0.0.1:{servers[-1].server_port}"]

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


MONITORING = {"monitoring": EVERYTHING["monitoring"]}


def secrets_of(rendered):
    return {name: secret["data"] for name, secret in rendered.kind("Secret").items()}


def test_passwords_are_kept_over_an_upgrade(render, cluster):
    first = secrets_of(render(MONITORING))
    assert first.keys() == {"eshop-mysql", "eshop-redis", "eshop-grafana"}
    assert secrets_of(render(MONITORING, options=cluster(first))) == first
    assert secrets_of(render(MONITORING, options=cluster({})))["eshop-redis"] != first["eshop-redis"]


def test_a_new_account_gets_a_password_and_the_others_keep_theirs(render, cluster):
    first = secrets_of(render())
    values = {"services": {"review": {"needs": ["mysql"]}}}
    data = secrets_of(render(values, options=cluster(first)))["eshop-mysql"]
    assert len(base64.b64decode(data.pop("review-password"))) == 32
    assert data == first["eshop-mysql"]


def test_grafana_takes_a_secret_of_ones_own(render):
    rendered = render(merge(MONITORING, {"monitoring": {"grafana": {"existingSecret": "mine"}}}))
    assert "eshop-grafana" not in rendered.kind("Secret")
    assert rendered.pods()["Deployment/eshop-grafana"]["spec"]["volumes"][-1]["secret"]["secretName"] == "mine"


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
    rendered = render(MONITORING)
    passwords = {
        base64.b64decode(value).decode()
        for secret in rendered.kind("Secret").values()
        for value in secret["data"].values()
    }
    text = json.dumps([o for o in rendered if o["kind"] != "Secret"])
    assert not [password for password in passwords if password in text]
    for name, pod in rendered.pods().items():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            variables = [v for v in container.get("env", []) if not v["name"].endswith("__FILE")]
            literal = [v["name"] for v in variables if "PASSWORD" in v["name"] and "value" in v]
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
