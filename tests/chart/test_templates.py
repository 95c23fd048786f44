"""Every template: there when it is wanted, gone when it is not; and what stays the same from version to version."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from tests.chart.rendering import CHART, CRDS, EVERYTHING, EXTERNAL, Rendered, helm, merge, next_version, template

TEMPLATES = {
    str(path.relative_to(CHART))
    for folder in (CHART / "templates", *CHART.glob("charts/*/templates"))
    for path in folder.rglob("*.yaml")
}
# There in every release.
ALWAYS = {f"templates/{name}.yaml" for name in ("addresses", "deployments", "services", "tests/orders")}
OFF = {"enabled": False}
THEIRS = {"existingSecret": "theirs"}
NO_BUDGETS = {"podDisruptionBudget": OFF}
NO_SCALING = {"services": {name: {"autoscaling": OFF} for name in ("gateway", "order", "flash-sale")}}
NO_EXPORTERS = {"monitoring": {"exporters": dict.fromkeys(("mysql", "redis", "kafka"), OFF)}}
# What takes a template away, and that one alone.
AWAY = {
    "dtm": {name: EXTERNAL[name] for name in ("dtm-mysql", "dtm-redis")},
    "hpas": NO_SCALING,
    "httproute": {"gatewayAPI": OFF},
    "ingress": {"ingress": OFF},
    "load-test-job": {"loadTest": OFF},
    "migrations-job": {"migrations": OFF},
    "monitoring-dashboards": {"monitoring": {"grafana": OFF}, "observability": {"dashboards": OFF}},
    "monitoring-exporters": NO_EXPORTERS,
    "monitoring-grafana": {"monitoring": {"grafana": OFF}},
    "monitoring-operator": {"observability": {"serviceMonitor": OFF, "alerts": OFF}},
    "monitoring-prometheus": {"monitoring": OFF},
    "networkpolicies": {"networkPolicy": OFF},
    "pdbs": {"defaults": NO_BUDGETS},
    "purge-cronjob": {"purge": OFF},
    "secrets": {"mysql": THEIRS, "redis": THEIRS},
    "serviceaccount": {"serviceAccount": {"create": False}},
    "topics-job": {"topics": OFF},
    "mysql": {"mysql": EXTERNAL["mysql"]},
    "redis": {"redis": EXTERNAL["redis"]},
    "kafka": {"kafka": EXTERNAL["kafka"]},
}
# Grafana has nothing to show without these two.
WITH_OTHERS = {"monitoring-dashboards": "monitoring-grafana", "monitoring-prometheus": "monitoring-grafana"}


def sources(tmp_path, values, **options):
    """The templates that give an object."""
    done = template(tmp_path, values, options=CRDS, **options)
    assert done.returncode == 0, done.stderr
    return {
        re.search(r"# Source: eshop/(\S+)", document)[1]
        for document in re.split(r"^---$", done.stdout, flags=re.M)
        if yaml.safe_load(document)
    }


def files(name):
    """The template of this name, or those of a subchart."""
    return {path for path in TEMPLATES if path == f"templates/{name}.yaml" or path.startswith(f"charts/{name}/")}


def test_every_template_is_in_the_table():
    assert set().union(*map(files, AWAY)) | ALWAYS == TEMPLATES


def test_every_template_gives_something(tmp_path):
    assert sources(tmp_path, EVERYTHING) == TEMPLATES


@pytest.mark.parametrize("name", AWAY)
def test_a_value_takes_away_this_template_and_no_other(tmp_path, name):
    gone = TEMPLATES - sources(tmp_path, merge(EVERYTHING, AWAY[name]))
    assert gone == files(name) | files(WITH_OTHERS.get(name, ""))


def test_the_smallest_release_is_what_is_always_there(tmp_path):
    values = EXTERNAL
    for changes in (*AWAY.values(), NO_EXPORTERS, {"dtm": NO_BUDGETS}):
        values = merge(values, changes)
    assert sources(tmp_path, values) == ALWAYS


# From version to version


def test_an_upgrade_changes_nothing_that_kubernetes_does_not_let_change(render, tmp_path):
    old = render(EVERYTHING, options=CRDS)
    done = template(tmp_path, EVERYTHING, options=CRDS, chart=next_version(tmp_path))
    new = Rendered(o for o in yaml.safe_load_all(done.stdout) if o)
    assert "eshop/order:0.2.0" in done.stdout
    for kind in ("Deployment", "StatefulSet"):
        assert old.kind(kind).keys() == new.kind(kind).keys()
        for name, before in old.kind(kind).items():
            after = new.one(kind, name)
            for field in ("selector", "serviceName", "volumeClaimTemplates"):
                assert before["spec"].get(field) == after["spec"].get(field), name
    # A new image needs a new Job: its name carries the revision.
    for path in ("migrations-job", "topics-job", "load-test-job"):
        text = (CHART / "templates" / f"{path}.yaml").read_text()
        assert re.search(r"\n  name: .*-\{\{ \$?\.Release\.Revision \}\}\n", text), path


def test_the_package_is_the_chart(tmp_path):
    done = helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("eshop-*.tgz")
    assert sources(tmp_path, EVERYTHING, chart=package) == TEMPLATES


def test_an_older_kubernetes_is_refused(refusal):
    message = refusal({}, options=["--kube-version", "1.29.0"])
    assert "chart requires kubeVersion: >=1.30.0-0" in message


# What the user reads at the end


@pytest.fixture
def notes(tmp_path):
    """NOTES.txt, which `helm template` does not show, as a ConfigMap of a copy of the chart."""
    chart = tmp_path / "notes"
    shutil.copytree(CHART, chart)
    text = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
    (chart / "templates" / "notes.yaml").write_text(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata:\n  notes: {{ include "notes" . | toJson }}\n'
    )

    def run(values=None):
        done = template(tmp_path, values, chart=chart, options=CRDS)
        assert done.returncode == 0, done.stderr
        return Rendered(o for o in yaml.safe_load_all(done.stdout) if o).one("ConfigMap", "notes")["data"]["notes"]

    return run


def test_the_notes_say_what_to_do_next(notes):
    text = notes()
    assert "helm test eshop -n shop" in text
    assert "kubectl -n shop port-forward svc/eshop-gateway 8080:80" in text
    assert "kubectl -n shop delete pvc data-eshop-mysql-0 data-eshop-redis-0 data-eshop-kafka-0" in text
    assert "eshop-mysql (administrator" in text
    assert "prometheus" not in text
    assert "WARNING" not in text


def test_the_notes_follow_the_values(notes):
    text = notes(merge(EVERYTHING, {"dtm": {"logLevel": "info"}, "monitoring": {"grafana": THEIRS}}))
    assert "https://shop.example.com/" in text
    assert "password in the Secret theirs" in text
    assert "WARNING: the official DTM image logs its configuration" in text
    external = notes(EXTERNAL)
    assert "delete pvc" not in external
    assert "Passwords were made" not in external
