"""Every public RPC, and no other, is in the gateway and in its OpenAPI; every service is found and wired alike."""

from __future__ import annotations

from importlib import import_module

import protovalidate
import pytest
import yaml
from google.protobuf.message_factory import GetMessageClass

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

WITH_TABLES = [name for name in names() if (ROOT / "db" / name / "versions").is_dir()]


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
    assert described == {route(method).replace("{order_id}", "{orderID}") for method in public_methods().values()}
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


@pytest.mark.parametrize("name", WITH_TABLES)
async def test_a_service_with_tables_serves_crud_of_its_own(name, monkeypatch):
    wiring = await wiring_of(name, monkeypatch)
    routes = {route(method) for service in wiring.public.values() for method in service.methods if http_rule(method)}
    key, path = "order_id" if name == "order" else "id", f"/api/v1/{name}"
    one = {f"{verb} {path}/{{{key}}}" for verb in ("GET", "PUT", "DELETE")}
    assert {f"POST {path}", *one, f"GET {path}/list", f"POST {path}/list"} <= routes


@pytest.mark.parametrize("name", WITH_TABLES)
async def test_no_list_gives_more_than_a_hundred_rows(name, monkeypatch):
    wiring = await wiring_of(name, monkeypatch)
    [service] = wiring.public.values()
    for method in (service.methods_by_name["List"], service.methods_by_name["Search"]):
        request = GetMessageClass(method.input_type)
        protovalidate.validate(request(limit=100))
        with pytest.raises(protovalidate.ValidationError):
            protovalidate.validate(request(limit=101))


@pytest.mark.parametrize("name", names())
async def test_a_service_has_what_its_neighbours_have(name, monkeypatch):
    """Design, section 3: the same file names in each folder, wherever there is something to put in."""
    wiring = await wiring_of(name, monkeypatch)
    files = {path.name for path in (ROOT / "services" / name).iterdir()}
    assert {"__init__.py", "__main__.py", "settings.py", "README.md"} <= files
    assert ("service.py" in files) == bool(wiring.public)
    assert ("branches.py" in files) == bool(wiring.branches)
    assert ("tables.py" in files) == (name in WITH_TABLES)


# Design, section 2: the original's, HTTP and gRPC.
ORIGINAL_PORTS = {
    "user": (30080, 30082),
    "product": (30180, 30182),
    "order": (30280, 30282),
    "stock": (30380, 30382),
    "coupon": (30480, 30482),
    "pay": (30580, 30582),
    "flash_sale": (30680, 30682),
    "coordinator-mysql": (36789, 36790),
    "coordinator-redis": (35789, 35790),
}


def test_ports_on_one_machine_are_the_originals():
    assert {name: (PORTS[name]["http"], PORTS[name]["grpc"]) for name in ORIGINAL_PORTS} == ORIGINAL_PORTS
    assert PORTS["gateway"] == {"http": 8080}


@pytest.mark.parametrize("name", names())
def test_a_service_on_its_own_listens_where_the_stack_puts_it(name):
    fields = import_module(f"services.{name}.settings").Settings.model_fields
    for kind, port in PORTS[name].items():
        assert fields[f"{kind}_port"].default == port
    for other in names():
        if f"{other}_grpc" in fields:
            assert fields[f"{other}_grpc"].default == f"127.0.0.1:{PORTS[other]['grpc']}"


def test_every_service_is_started_and_installed():
    """The three places of docs/adding-a-service.md."""
    assert sorted(STARTED) == sorted(names())
    assert all(name in PORTS for name in names())
    values = yaml.safe_load((ROOT / "charts" / "eshop" / "values.yaml").read_text())
    assert sorted(name.replace("-", "_") for name in values["services"]) == sorted(names())
