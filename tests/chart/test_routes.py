"""Ways in from outside: Ingress and HTTPRoute."""

from __future__ import annotations

GATEWAY_API = ["--api-versions", "gateway.networking.k8s.io/v1/HTTPRoute"]


def test_nothing_is_open_by_default(render):
    rendered = render()
    assert not rendered.kind("Ingress")
    assert not rendered.kind("HTTPRoute")
    assert {s["spec"].get("type", "ClusterIP") for s in rendered.kind("Service").values()} == {"ClusterIP"}


def test_an_ingress_to_the_gateway(render):
    values = {
        "enabled": True,
        "className": "nginx",
        "host": "shop.example.com",
        "path": "/shop",
        "annotations": {"a": "b"},
    }
    ingress = render({"ingress": values}).one("Ingress", "eshop-gateway")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "shop.example.com"
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/shop"
    assert path["backend"]["service"] == {"name": "eshop-gateway", "port": {"name": "http"}}
    assert "tls" not in ingress["spec"]
    assert ingress["metadata"]["annotations"] == {"a": "b"}


def test_tls_by_the_name_of_a_secret(render):
    values = {"enabled": True, "host": "shop.example.com", "tls": {"secretName": "cert"}}
    ingress = render({"ingress": values}).one("Ingress", "eshop-gateway")
    assert ingress["spec"]["tls"] == [{"secretName": "cert", "hosts": ["shop.example.com"]}]


def test_an_ingress_for_every_name(render):
    (rule,) = render({"ingress": {"enabled": True}}).one("Ingress", "eshop-gateway")["spec"]["rules"]
    assert "host" not in rule


def test_an_http_route_to_the_gateway(render):
    values = {
        "enabled": True,
        "parentRefs": [{"name": "public", "namespace": "edge"}],
        "hostnames": ["shop.example.com"],
        "path": "/api",
    }
    route = render({"gatewayAPI": values}, options=GATEWAY_API).one("HTTPRoute", "eshop-gateway")["spec"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "edge"}]
    assert route["hostnames"] == ["shop.example.com"]
    assert route["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/api"}}]
    assert route["rules"][0]["backendRefs"] == [{"name": "eshop-gateway", "port": 80}]


def test_an_http_route_without_its_crds_is_refused(refusal):
    message = refusal({"gatewayAPI": {"enabled": True, "parentRefs": [{"name": "public"}]}})
    assert "gatewayAPI.enabled needs the Gateway API" in message
