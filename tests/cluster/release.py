"""One release of the chart on the cluster that KUBECONFIG names: install, look, load, test."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "eshop"
FOLDER = Path(__file__).parent
# values.yaml here, and what the cluster at hand needs beside it.
VALUES = [CHART / "values-dev.yaml", FOLDER / "values.yaml"]
VALUES += [Path(name) for name in os.environ.get("ESHOP_CLUSTER_VALUES", "").split(":") if name]

SERVICES = ("gateway", "user", "product", "order", "stock", "coupon", "pay", "flash-sale")
COORDINATORS = ("dtm-mysql", "dtm-redis")
STORES = ("mysql", "redis", "kafka")


def run(
    *command: object, stdin: str | None = None, timeout: float = 300, check: bool = True, both: bool = False
) -> str:
    """Standard output of a command, or `both` outputs; its standard error in the failure."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=ROOT
    )
    assert done.returncode == 0 or not check, (
        f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout + done.stderr if both else done.stdout


def make_namespace(name: str) -> None:
    """A namespace that takes only pods of the restricted Pod Security Standard."""
    standard = "pod-security.kubernetes.io/enforce: restricted"
    text = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{standard}}}}}"
    run("kubectl", "apply", "-f", "-", stdin=text)


@dataclass
class Release:
    name: str
    namespace: str
    sets: list[str] = field(default_factory=list)
    # Seconds from the last install to ready.
    seconds: float = 0

    def kubectl(self, *arguments: object, **options: Any) -> str:
        return run("kubectl", "-n", self.namespace, *arguments, **options)

    def get(self, *arguments: object) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def values(self, sets: tuple[str, ...]) -> list[object]:
        files: list[object] = [part for path in VALUES for part in ("--values", path)]
        return files + [part for one in (*self.sets, *sets) for part in ("--set", one)]

    def installed(self) -> bool:
        return self.name in self.helm("list", "--short").split()

    def install(self, *sets: str, wait: str = "10m") -> None:
        """Returns when every pod is ready."""
        started = time.monotonic()
        self.helm("install", self.name, CHART, "--wait", "--timeout", wait, *self.values(sets))
        self.seconds = time.monotonic() - started

    def upgrade(self, *sets: str, wait: str = "10m", chart: Path = CHART) -> None:
        self.helm("upgrade", self.name, chart, "--wait", "--wait-for-jobs", "--timeout", wait, *self.values(sets))

    def helm(self, *arguments: object, **options: Any) -> str:
        return run("helm", "-n", self.namespace, *arguments, timeout=900, **options)

    def test(self) -> str:
        """`helm test`: orders through the gateway, then the invariants."""
        return self.helm("test", self.name, "--hide-notes", "--timeout", "5m", both=True)

    def pods(self, component: str = "", every: bool = False) -> list[Any]:
        """The release's pods; those of jobs only where `every` is asked for."""
        selector = f"app.kubernetes.io/instance={self.name}"
        selector += f",app.kubernetes.io/component={component}" if component else ""
        found = self.get("pods", "-l", selector)["items"]
        return [pod for pod in found if every or not is_of_job(pod)]

    def restarts(self) -> dict[str, int]:
        """Containers that were restarted, by pod."""
        counts = {
            pod["metadata"]["name"]: sum(
                status["restartCount"] for status in pod["status"].get("containerStatuses", [])
            )
            for pod in self.pods()
        }
        return {name: count for name, count in counts.items() if count}

    def workload(self, component: str) -> str:
        kind = "statefulset" if component in STORES else "deployment"
        return f"{kind}/{self.name}-{component}"

    def await_ready(self, *components: str, timeout: float = 300) -> None:
        for component in components or (*STORES, *COORDINATORS, *SERVICES):
            self.kubectl(
                "rollout", "status", self.workload(component), f"--timeout={timeout:.0f}s", timeout=timeout + 30
            )

    def replicas(self, component: str) -> int:
        return self.get(self.workload(component))["status"].get("readyReplicas", 0)

    def mysql(self, statement: str) -> list[str]:
        """Rows of a query by the administrator, run where the image's own client is."""
        script = f'MYSQL_PWD=$(cat /run/secrets/eshop/admin-password) exec mysql -h127.0.0.1 -uroot -N -e "{statement}"'
        return self.kubectl("exec", f"{self.name}-mysql-0", "--", "bash", "-c", script).splitlines()

    def secrets(self) -> dict[str, Any]:
        return {store: self.get("secret", f"{self.name}-{store}")["data"] for store in ("mysql", "redis")}


def is_of_job(pod: Any) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    return not owners or owners[0]["kind"] == "Job"


def eventually(what: str, holds: Any, timeout: float) -> float:
    """Seconds until `holds()` is true."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < timeout, f"{what}: not within {timeout:.0f} s"
        time.sleep(1)
    return time.monotonic() - started


def rendered(release: Release, template: str, kind: str, *options: str) -> dict[str, Any]:
    """The one object of a kind of a template of the chart."""
    version = json.loads(run("kubectl", "version", "-o", "json"))["serverVersion"]["gitVersion"]
    only = ["--show-only", f"templates/{template}", "--kube-version", version]
    text = release.helm("template", release.name, CHART, *only, *release.values(()), *options)
    (found,) = [document for document in yaml.safe_load_all(text) if document and document["kind"] == kind]
    return found
