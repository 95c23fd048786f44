"""Names and images: two releases side by side, long names, registries."""

from __future__ import annotations


def key(o):
    return o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]


def test_two_releases_share_no_name(render):
    first, second = render(release="one"), render(release="two")
    assert not {key(o) for o in first} & {key(o) for o in second}


def test_two_releases_share_no_pod(render):
    first, second = render(release="one"), render(release="two")
    for o in [*first.kind("Service").values(), *first.kind("Deployment").values()]:
        selector = o["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        assert not [name for name, pod in second.pods().items() if wanted <= pod["metadata"]["labels"].items()]


def test_no_object_names_the_other_release(render):
    for o in render(release="one", namespace="first"):
        assert "eshop-mysql" not in str(o)
        assert o["metadata"]["namespace"] == "first"


def test_a_long_release_name_stays_within_a_dns_label(render):
    long = "a" * 53
    rendered = render(release=long)
    other = render(release="a" * 52 + "b")
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
    assert images(render({"loadTest": {"enabled": True}})) == services | others | stores


def test_one_registry_for_all_images(render):
    rendered = render({"global": {"imageRegistry": "registry.example.com/mirror/"}, "loadTest": {"enabled": True}})
    assert all(image.startswith("registry.example.com/mirror/") for image in images(rendered))


def test_every_image_can_be_set(render):
    mine = {"registry": "r.example.com", "repository": "x/y", "tag": "z"}
    rendered = render(
        {
            "defaults": {"image": mine},
            "dtm": {"images": {"official": mine}},
            **{part: {"image": mine} for part in ("mysql", "redis", "kafka", "migrations", "loadTest")},
        }
    )
    assert images(rendered) == {"r.example.com/x/y:z"}


def test_a_digest_wins_over_a_tag(render):
    digest = "sha256:" + "0" * 64
    rendered = render({"services": {"pay": {"image": {"digest": digest, "tag": "ignored"}}}})
    assert f"eshop/pay@{digest}" in images(rendered)


def test_pull_secrets_and_policy_reach_every_pod(render):
    rendered = render({"global": {"imagePullSecrets": ["key"], "imagePullPolicy": "Always"}})
    for pod in rendered.pods().values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "key"}]
        assert {c["imagePullPolicy"] for c in pod["spec"]["containers"]} == {"Always"}
