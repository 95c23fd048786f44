"""Names and images: two releases side by side, long names, registries."""

from __future__ import annotations

from tests.chart.rendering import CRDS, EVERYTHING, merge


def key(o):
    return o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]


def test_two_releases_share_no_name(render):
    first, second = (render(EVERYTHING, release=name, options=CRDS) for name in ("one", "two"))
    assert not {key(o) for o in first} & {key(o) for o in second}


def test_two_releases_share_no_pod(render):
    first, second = (render(EVERYTHING, release=name, options=CRDS) for name in ("one", "two"))
    found = [labels for o in first for labels in selected(o["kind"], o.get("spec", {}))]
    assert len(found) > 150
    for labels in found:
        assert "app.kubernetes.io/version" not in labels
        assert "helm.sh/chart" not in labels
        for name, pod in second.pods().items():
            assert not labels.items() <= pod["metadata"]["labels"].items(), name


def selected(kind, part):
    """Every set of labels in an object that chooses pods, and of a ServiceMonitor that chooses Services."""
    if kind == "Service":
        yield part["selector"]
    elif isinstance(part, dict):
        if "matchLabels" in part:
            yield part["matchLabels"]
        for value in part.values():
            yield from selected("", value)
    elif isinstance(part, list):
        for value in part:
            yield from selected("", value)


def test_no_object_names_the_other_release(render):
    for o in render(EVERYTHING, release="one", namespace="first", options=CRDS):
        assert "eshop-mysql" not in str(o)
        assert o["metadata"]["namespace"] == "first"


def test_a_long_release_name_stays_within_a_dns_label(render):
    long = "a" * 53
    rendered = render(EVERYTHING, release=long, options=CRDS)
    other = render(EVERYTHING, release="a" * 52 + "b", options=CRDS)
    for o in rendered:
        assert len(o["metadata"]["name"]) <= (52 if o["kind"] in ("CronJob", "StatefulSet") else 63)
    assert not {key(o) for o in rendered} & {key(o) for o in other}


def images(rendered):
    return {
        container["image"]
        for pod in rendered.pods().values()
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    }


def test_default_images_are_versions_under_support(render):
    services = {f"eshop/{name}:0.1.0" for name in ("gateway", "user", "product", "order", "stock", "coupon", "pay")}
    others = {"eshop/flash-sale:0.1.0", "eshop/migrations:0.1.0", "eshop/k6:0.1.0"}
    stores = {"mysql:8.4", "redis:7.2", "apache/kafka:4.1.1", "yedf/dtm:1.18.0"}
    exporters = {"prom/mysqld-exporter:v0.14.0", "oliver006/redis_exporter:v1.45.0", "danielqsj/kafka-exporter:v1.9.0"}
    monitoring = {"prom/prometheus:v2.42.0", "grafana/grafana:11.6.0"} | exporters
    assert images(render(EVERYTHING, options=CRDS)) == services | others | stores | monitoring


def test_one_registry_for_all_images(render):
    values = {"global": {"imageRegistry": "registry.example.com/mirror/"}, **EVERYTHING}
    rendered = render(values, options=CRDS)
    assert all(image.startswith("registry.example.com/mirror/") for image in images(rendered))


def test_every_image_can_be_set(render):
    mine = {"registry": "r.example.com", "repository": "x/y", "tag": "z"}
    changes = {
        "defaults": {"image": mine},
        "dtm": {"images": {"official": mine}},
        **{part: {"image": mine} for part in ("mysql", "redis", "kafka", "migrations", "loadTest")},
        "monitoring": {
            "prometheus": {"image": mine},
            "grafana": {"image": mine},
            "exporters": {store: {"image": mine} for store in ("mysql", "redis", "kafka")},
        },
    }
    rendered = render(merge(EVERYTHING, changes), options=CRDS)
    assert images(rendered) == {"r.example.com/x/y:z"}


def test_a_digest_wins_over_a_tag(render):
    digest = "sha256:" + "0" * 64
    rendered = render({"services": {"pay": {"image": {"digest": digest, "tag": "ignored"}}}})
    assert f"eshop/pay@{digest}" in images(rendered)


def test_pull_secrets_and_policy_reach_every_pod(render):
    values = {"global": {"imagePullSecrets": ["key"], "imagePullPolicy": "Always"}, **EVERYTHING}
    rendered = render(values, options=CRDS)
    for pod in rendered.pods().values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "key"}]
        assert {c["imagePullPolicy"] for c in pod["spec"]["containers"]} == {"Always"}
