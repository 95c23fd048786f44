"""The coordinators: one subchart under two names, the official image or the embedded coordinator."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

BOTH = ("dtm-mysql", "dtm-redis")


def coordinator(rendered, name):
    return rendered.one("Deployment", f"eshop-{name}")["spec"]["template"]["spec"]["containers"][0]


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_the_official_image_is_the_default_and_embedded_a_value(render):
    assert {coordinator(render(), name)["image"] for name in BOTH} == {"yedf/dtm:1.18.0"}
    embedded = render({"dtm": {"engine": "embedded"}})
    assert {coordinator(embedded, name)["image"] for name in BOTH} == {"eshop/coordinator:0.1.0"}


@pytest.mark.parametrize("engine", ["official", "embedded"])
def test_both_engines_get_the_same_settings(render, engine):
    rendered = render({"dtm": {"engine": engine, "env": {"ALERT_RETRY_LIMIT": "5"}}})
    mysql, redis = (environment(coordinator(rendered, name)) for name in BOTH)
    assert mysql["STORE_DRIVER"] == "mysql"
    assert mysql["STORE_HOST"] == "eshop-mysql"
    assert mysql["STORE_PORT"] == "3306"
    assert mysql["STORE_DB"] == "dtm"
    assert mysql["STORE_USER"] == "eshop_dtm"
    assert int(mysql["STORE_MAX_OPEN_CONNS"]) < 100
    assert redis["STORE_DRIVER"] == "redis"
    assert redis["STORE_HOST"] == "eshop-redis"
    assert redis["STORE_PORT"] == "6379"
    assert not {"STORE_USER", "STORE_DB"} & redis.keys()
    for settings in (mysql, redis):
        assert settings["UPDATE_BRANCH_SYNC"] == "1"
        assert int(settings["RETRY_INTERVAL"]) >= 10  # the official image refuses less
        assert settings["ALERT_RETRY_LIMIT"] == "5"


def test_the_official_image_gets_dtms_names_and_the_embedded_coordinator_the_shops_too(render):
    values = {"observability": {"logFormat": "text", "tracing": {"endpoint": "otel:4317", "ratio": 0.5}}}
    ours = {
        "ESHOP_SECRETS_DIR": "/run/secrets/eshop",
        "ESHOP_VERSION": "0.1.0",
        "ESHOP_LOG_FORMAT": "text",
        "ESHOP_OTLP_ENDPOINT": "otel:4317",
        "ESHOP_TRACE_RATIO": "0.5",
    }
    for name in BOTH:
        official = environment(coordinator(render(values), name))
        embedded = environment(coordinator(render({**values, "dtm": {"engine": "embedded"}}), name))
        assert not [variable for variable in official if variable.startswith("ESHOP_")]
        assert official.pop("STORE_PASSWORD") is None  # from a Secret
        assert embedded == {**official, **ours}


@pytest.mark.skipif(not os.environ.get("ESHOP_DTM_BIN"), reason="ESHOP_DTM_BIN names no DTM")
@pytest.mark.parametrize("name", BOTH)
def test_dtm_itself_reads_what_the_chart_sets(render, name):
    container = coordinator(render({"dtm": {"logLevel": "info", "maxConnections": 33, "timeoutToFail": 77}}), name)
    variables = {variable: value or "secret" for variable, value in environment(container).items()}
    # A store that is not there: it says what it has read and then waits.
    variables |= {"STORE_HOST": "127.0.0.1", "STORE_PORT": "1"}
    command = [os.environ["ESHOP_DTM_BIN"]]
    with subprocess.Popen(command, env=variables, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as dtm:
        line = next(line for line in dtm.stdout if "loaded config is" in line)
        dtm.kill()
    read = json.loads(json.loads(line)["msg"].split("loaded config is:")[1])
    store = read["Store"]
    assert (store["Driver"], store["Host"], store["Port"]) == (name.removeprefix("dtm-"), "127.0.0.1", 1)
    assert store["Password"] == "secret"
    if name == "dtm-mysql":
        assert (store["User"], store["Db"]) == ("eshop_dtm", "dtm")
        assert store["MaxOpenConns"] == store["MaxIdleConns"] == 33
    intervals = {"TransCronInterval": 3, "RetryInterval": 10, "RequestTimeout": 3, "TimeoutToFail": 77}
    expected = {**intervals, "HTTPPort": 36789, "GrpcPort": 36790, "UpdateBranchSync": 1}
    assert {key: read[key] for key in expected} == expected


def test_a_coordinator_has_time_to_finish(render):
    """The official image ends at once; the embedded one finishes its passes and answers, as a service does."""
    for name in BOTH:
        pod = render().pods()[f"Deployment/eshop-{name}"]["spec"]
        pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] >= pause + 35
        assert render().one("Deployment", f"eshop-{name}")["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 1,
            "maxUnavailable": 0,
        }


def test_the_startup_probe_waits_for_the_store(render):
    for name in BOTH:
        probe = coordinator(render(), name)["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


def test_services_are_headless_on_dtms_ports(render):
    rendered = render()
    for name in BOTH:
        service = rendered.one("Service", f"eshop-{name}")["spec"]
        assert service["clusterIP"] == "None"
        assert {port["name"]: port["port"] for port in service["ports"]} == {"http": 36789, "grpc": 36790}
        assert f"eshop-{name}" in rendered.kind("PodDisruptionBudget")


def test_one_coordinator_can_be_outside_while_the_other_is_not(render):
    rendered = render({"dtm-redis": {"enabled": False, "external": {"host": "dtm.example.com"}}})
    assert "eshop-dtm-mysql" in rendered.kind("Deployment")
    assert "eshop-dtm-redis" not in rendered.kind("Deployment")
    assert rendered.one("ConfigMap", "eshop-addresses")["data"]["ESHOP_DTM_REDIS_GRPC"] == "dtm.example.com:36790"
