"""Every public RPC, and no other, is in the gateway and in its OpenAPI; every service is found and wired alike."""

from __future__ import annotations

import pytest
import yaml

from dev.layout import PORTS, ROOT
from dev.layout import SERVICES as STARTED
from services.common import openapi
from services.common.http_rules import http_rule
from tests.contract.wiring import gateway_option, names, protos_of, wiring_of

# Design, section 2: the gateway's REST contract is the original's.
CONTRACT = {
    *(f"POST /api/v1/{name}" for name in ("user", "product", "coupon", "stock")),
    *(f"GET /api/v1/{name}/list" for name in ("user", "product", "coupon", "stock", "order")),
    "POST /api/v1/stock/setFlashSale",
    "POST /api/v1/order/submit",
    "POST /api/v1/order/sendSubmitNotify",
    "GET /api/v1/order/{order_id}",
    "POST /api/v1/flashSale",
}


@pytest.fixture
async def gateway(monkeypatch):
    return await wiring_of("gateway", monkeypatch)


def public_methods():
    """The calls that the protos give to the gateway, of every service that is there."""
    return {
        method.full_name: method
        for name in names()
        for file in protos_of(name)
        for service in file.services_by_name.values()
        for method in service.methods
        if gateway_option(method) is not None
    }


def route(method):
    rule = http_rule(method)
    return f"{rule.verb} {rule.path}"


async def test_every_public_call_is_in_the_gateway(gateway):
    assert {rpc.method.full_name for rpc in gateway.forwarded} == public_methods().keys()


def test_the_public_calls_are_the_contracts():
    assert {route(method) for method in public_methods().values()} == CONTRACT


async def test_every_public_call_is_in_the_gateways_openapi(gateway):
    document = openapi.document("gateway", gateway.forwarded)
    described = {f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs}
    spelled = {entry.replace("{order_id}", "{orderID}") for entry in CONTRACT}
    assert described in (CONTRACT, spelled)
    for verbs in document["paths"].values():
        for operation in verbs.values():
            assert operation["summary"]
            assert {"200", "400"} <= operation["responses"].keys()


def test_a_batch_call_exists_and_takes_its_members():
    for method in public_methods().values():
        gateway = gateway_option(method)
        if gateway.batch:
            batch = method.containing_service.methods_by_name[gateway.batch]
            assert batch.input_type.fields_by_name["requests"].message_type == method.input_type
            result = batch.output_type.fields_by_name["results"].message_type
            assert result.fields_by_name["response"].message_type == method.output_type
            assert not gateway.batch_by or gateway.batch_by in method.input_type.fields_by_name


@pytest.mark.parametrize("name", names())
async def test_a_service_serves_its_protos(name, monkeypatch):
    wiring = await wiring_of(name, monkeypatch)
    declared = {service.full_name for file in protos_of(name) for service in file.services_by_name.values()}
    assert declared == wiring.public.keys() | wiring.branches.keys()


@pytest.mark.parametrize("name", names())
async def test_a_service_serves_rest_of_its_own(name, monkeypatch):
    """Design: each service serves its own CRUD, and all calls but a batch's have a route or are for services alone."""
    wiring = await wiring_of(name, monkeypatch)
    methods = [method for service in wiring.public.values() for method in service.methods]
    if "Create" in {method.name for method in methods} or name == "stock":
        routes = {route(method) for method in methods if http_rule(method)}
        key = "order_id" if name == "order" else "id"
        path = f"/api/v1/{name}"
        crud = {f"POST {path}", *(f"{verb} {path}/{{{key}}}" for verb in ("GET", "PUT", "DELETE")), f"POST {path}/list"}
        assert crud <= routes


@pytest.mark.parametrize("name", names())
def test_a_service_has_what_its_neighbours_have(name):
    folder = ROOT / "services" / name
    assert {"__main__.py", "settings.py", "README.md"} <= {path.name for path in folder.iterdir()}
    if name != "gateway":
        assert (folder / "service.py").exists()
    assert (folder / "tables.py").exists() == (ROOT / "db" / name).is_dir()


def test_every_service_is_started_and_installed():
    """The three places of docs/adding-a-service.md."""
    assert sorted(STARTED) == sorted(names())
    assert all(name in PORTS for name in names())
    values = yaml.safe_load((ROOT / "charts" / "eshop" / "values.yaml").read_text())
    assert sorted(name.replace("-", "_") for name in values["services"]) == sorted(names())
