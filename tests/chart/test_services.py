"""The loop over the services: Deployments, Services, HPAs and PodDisruptionBudgets."""

from __future__ import annotations

from tests.chart.rendering import SERVICES


def container(rendered, name):
    return rendered.one("Deployment", f"eshop-{name}")["spec"]["template"]["spec"]["containers"][0]


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_each_service_has_a_deployment_a_service_and_a_disruption_budget(render):
    rendered = render()
    names = {f"eshop-{name}" for name in SERVICES}
    assert names <= rendered.kind("Deployment").keys()
    assert names <= rendered.kind("Service").keys()
    assert names <= rendered.kind("PodDisruptionBudget").keys()


def test_selectors_of_services_and_budgets_find_the_pods(render):
    rendered = render()
    for name in (f"eshop-{service}" for service in SERVICES):
        labels = rendered.one("Deployment", name)["spec"]["template"]["metadata"]["labels"].items()
        assert rendered.one("Service", name)["spec"]["selector"].items() <= labels
        assert rendered.one("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"].items() <= labels
        selector = rendered.one("Deployment", name)["spec"]["selector"]["matchLabels"]
        assert not any("version" in key or "chart" in key for key in selector)


def test_grpc_services_are_headless_and_the_gateway_is_not(render):
    rendered = render()
    for name in SERVICES:
        service = rendered.one("Service", f"eshop-{name}")["spec"]
        ports = {port["name"]: port["port"] for port in service["ports"]}
        if name == "gateway":
            assert "clusterIP" not in service
            assert ports == {"http": 80}
        else:
            assert service["clusterIP"] == "None"
            assert ports == {"http": 8080, "grpc": 8282}


def test_replicas_are_left_out_where_an_hpa_owns_them(render):
    rendered = render()
    for name in SERVICES:
        scaled = f"eshop-{name}" in rendered.kind("HorizontalPodAutoscaler")
        assert scaled == (name in ("order", "flash-sale"))
        assert ("replicas" in rendered.one("Deployment", f"eshop-{name}")["spec"]) != scaled


def test_an_hpa_rises_fast_and_sinks_slowly(render):
    spec = render().one("HorizontalPodAutoscaler", "eshop-order")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "eshop-order"}
    assert spec["metrics"][0]["resource"]["name"] == "cpu"
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert down["stabilizationWindowSeconds"] >= 60
    assert min(policy["periodSeconds"] for policy in up["policies"]) < min(p["periodSeconds"] for p in down["policies"])


def test_the_gateway_scales_by_a_value(render):
    rendered = render({"services": {"gateway": {"autoscaling": {"enabled": True, "maxReplicas": 7}}}})
    assert rendered.one("HorizontalPodAutoscaler", "eshop-gateway")["spec"]["maxReplicas"] == 7
    assert "replicas" not in rendered.one("Deployment", "eshop-gateway")["spec"]


def test_an_hpa_can_be_switched_off(render):
    rendered = render({"services": {"order": {"autoscaling": {"enabled": False}, "replicas": 3}}})
    assert "eshop-order" not in rendered.kind("HorizontalPodAutoscaler")
    assert rendered.one("Deployment", "eshop-order")["spec"]["replicas"] == 3


def test_bounds_of_an_hpa_that_cross_are_refused(refusal):
    assert "services.order.autoscaling.minReplicas (9)" in refusal(
        {"services": {"order": {"autoscaling": {"minReplicas": 9}}}}
    )


def test_a_disruption_budget_never_blocks_a_drain(render):
    budgets = render().kind("PodDisruptionBudget")
    assert len(budgets) == len(SERVICES) + 2
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1  # minAvailable: 1 would hold a single pod for ever
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_disruption_budgets_can_be_switched_off(render):
    rendered = render(
        {"defaults": {"podDisruptionBudget": {"enabled": False}}, "dtm": {"podDisruptionBudget": {"enabled": False}}}
    )
    assert not rendered.kind("PodDisruptionBudget")


def test_a_difference_of_one_service_leaves_the_others_alone(render):
    before = render()
    after = render(
        {"services": {"pay": {"resources": {"limits": {"memory": "1Gi"}}, "env": {"ESHOP_MYSQL_POOL": "3"}}}}
    )
    changed = container(after, "pay")
    assert changed["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert environment(changed)["ESHOP_MYSQL_POOL"] == "3"
    for name in set(SERVICES) - {"pay"}:
        assert before.one("Deployment", f"eshop-{name}") == after.one("Deployment", f"eshop-{name}")


def test_a_ninth_service_is_one_entry(render):
    rendered = render({"services": {"review": {"needs": ["mysql", "user"]}}})
    assert container(rendered, "review")["image"] == "eshop/review:0.1.0"
    assert environment(container(rendered, "review"))["ESHOP_MYSQL_USER"] == "eshop_review"
    assert "review-password" in rendered.one("Secret", "eshop-mysql")["data"]
    assert rendered.one("ConfigMap", "eshop-addresses")["data"]["ESHOP_REVIEW_GRPC"] == "eshop-review:8282"
    assert "eshop-review" in rendered.kind("NetworkPolicy")


def test_probes_stop_and_grace(render):
    rendered = render()
    for name in SERVICES:
        pod, process = rendered.pods()[f"Deployment/eshop-{name}"]["spec"], container(rendered, name)
        assert process["startupProbe"]["httpGet"]["path"] == "/healthz"
        assert process["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert process["readinessProbe"]["httpGet"]["path"] == "/readyz"
        pause = process["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause >= 5  # DNS answers live for five seconds
        drain = int(environment(process)["ESHOP_DRAIN_SECONDS"])
        assert drain > 0
        assert pod["terminationGracePeriodSeconds"] >= pause + drain + 35


def test_rollouts_never_have_fewer_pods(render):
    for name, deployment in render().kind("Deployment").items():
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, name


def test_pods_spread_and_a_value_stops_it(render):
    spread = render().pods()["Deployment/eshop-user"]["spec"]["topologySpreadConstraints"]
    assert [part["topologyKey"] for part in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    without = render({"defaults": {"topologySpread": {"enabled": False}}})
    assert "topologySpreadConstraints" not in without.pods()["Deployment/eshop-user"]["spec"]


def test_placing_reaches_the_pods(render):
    wanted = {
        "nodeSelector": {"pool": "shop"},
        "tolerations": [{"key": "shop", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "podAnnotations": {"note": "x"},
        "podLabels": {"team": "shop"},
    }
    pod = render({"defaults": wanted}).pods()["Deployment/eshop-user"]
    for key in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod["spec"][key] == wanted[key]
    assert pod["metadata"]["annotations"]["note"] == "x"
    assert pod["metadata"]["labels"]["team"] == "shop"


def test_changed_addresses_restart_the_pods(render):
    def checksum(rendered):
        return rendered.pods()["Deployment/eshop-user"]["metadata"]["annotations"]["checksum/addresses"]

    assert checksum(render()) == checksum(render())
    assert checksum(render()) != checksum(render({"observability": {"logLevel": "debug"}}))


def test_logs_and_tracing_by_value(render):
    addresses = render(
        {
            "observability": {
                "logLevel": "warning",
                "logFormat": "text",
                "tracing": {"endpoint": "otel:4317", "ratio": 0.5},
            }
        }
    ).one("ConfigMap", "eshop-addresses")["data"]
    assert addresses["ESHOP_LOG_LEVEL"] == "warning"
    assert addresses["ESHOP_LOG_FORMAT"] == "text"
    assert addresses["ESHOP_OTLP_ENDPOINT"] == "otel:4317"
    assert addresses["ESHOP_TRACE_RATIO"] == "0.5"
    assert render().one("ConfigMap", "eshop-addresses")["data"]["ESHOP_OTLP_ENDPOINT"] == ""


def test_service_account_by_value(render):
    assert render().kind("ServiceAccount").keys() == {"eshop"}
    rendered = render({"serviceAccount": {"create": False, "name": "theirs"}})
    assert not rendered.kind("ServiceAccount")
    assert rendered.pods()["Deployment/eshop-user"]["spec"]["serviceAccountName"] == "theirs"


def test_the_gateway_service_by_value(render):
    values = {"gatewayService": {"type": "NodePort", "port": 8000, "nodePort": 30080, "annotations": {"a": "b"}}}
    service = render(values).one("Service", "eshop-gateway")
    assert service["spec"]["type"] == "NodePort"
    assert (service["spec"]["ports"][0]["port"], service["spec"]["ports"][0]["nodePort"]) == (8000, 30080)
    assert service["metadata"]["annotations"] == {"a": "b"}
