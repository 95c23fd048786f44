"""What the restricted Pod Security Standard asks for, and what this chart promises beyond, of every pod."""

from __future__ import annotations

import pytest

from tests.chart.rendering import CRDS, EVERYTHING


@pytest.fixture
def pods(render):
    return render(EVERYTHING, options=CRDS).pods()


def containers(pod):
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def test_restricted_everywhere(pods):
    for name, pod in pods.items():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name


def test_requests_and_limits_everywhere(pods):
    for name, pod in pods.items():
        for container in containers(pod):
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}, name


def test_no_token_and_no_service_links(pods):
    for name, pod in pods.items():
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["enableServiceLinks"] is False, name


def test_volumes_are_claims_config_secrets_or_bounded_scratch(pods):
    for name, pod in pods.items():
        for volume in pod["spec"].get("volumes", []):
            (kind,) = volume.keys() - {"name"}
            assert kind in ("emptyDir", "configMap", "secret", "projected"), name
            if kind == "emptyDir":
                assert "sizeLimit" in volume["emptyDir"], name


def test_every_mount_has_its_volume(pods):
    for name, pod in pods.items():
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        volumes |= {"data"} if name.startswith("StatefulSet/") else set()
        mounts = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])}
        assert mounts == volumes, name


def test_probes_on_everything_that_runs_on(pods):
    running = {name: pod for name, pod in pods.items() if name.split("/")[0] in ("Deployment", "StatefulSet")}
    assert len(running) == 8 + 2 + 3 + 5  # services, coordinators, stores; Prometheus, Grafana and exporters
    for name, pod in running.items():
        for container in containers(pod):
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name
            probe = container["livenessProbe"]
            patience = probe["periodSeconds"] * probe.get("failureThreshold", 3) + probe.get("initialDelaySeconds", 0)
            assert "startupProbe" in container or patience >= 60, name


def test_openshift_chooses_the_user(render):
    nothing = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
    values = dict.fromkeys(("defaults", "dtm", "mysql", "redis", "kafka"), nothing)
    exporters = {store: {"enabled": True, **nothing} for store in ("mysql", "redis", "kafka")}
    values["monitoring"] = {"enabled": True, "prometheus": nothing, "grafana": nothing, "exporters": exporters}
    rendered = render(values)
    for name, pod in rendered.pods().items():
        security = pod["spec"]["securityContext"]
        assert [security.get(key) for key in ("runAsUser", "runAsGroup", "fsGroup")] == [None] * 3, name


def test_laptop_sizes(render):
    """Defaults fit 4 CPUs and 8 GiB, values-dev.yaml 2 CPUs and 6 GiB, with room for the system and for growing."""
    for files, cpu, memory in (([], 2.0, 5 * 1024), (["values-dev.yaml"], 1.0, 3 * 1024)):
        pods = render(files=files).pods()
        running = [p for name, p in pods.items() if name.split("/")[0] in ("Deployment", "StatefulSet")]
        requests = [c["resources"]["requests"] for pod in running for c in pod["spec"]["containers"]]
        assert sum(int(r["cpu"].removesuffix("m")) / 1000 for r in requests) <= cpu
        assert sum(int(r["memory"].removesuffix("Mi")) for r in requests) <= memory
