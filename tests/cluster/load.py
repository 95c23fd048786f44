"""Load from inside the cluster: the chart's own k6 Job under a name of its own, and the answers that buyers got."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.cluster.release import Release, eventually, rendered


@dataclass
class Load:
    """A running k6 Job."""

    release: Release
    name: str

    @property
    def status(self) -> dict[str, Any]:
        return self.release.get("job", self.name)["status"]

    def running(self) -> bool:
        return self.status.get("active", 0) == 1

    def stop(self) -> Outcome:
        """Ends it now, as Ctrl-C does; k6 then counts this run as failed, whatever its thresholds say."""
        pod = self.release.kubectl("get", "pods", "-l", f"job-name={self.name}", "-o", "name").strip()
        self.release.kubectl("exec", pod, "--", "sh", "-c", "kill -INT 1")
        return self.finish()

    def finish(self, timeout: float = 300) -> Outcome:
        """Waits for its end."""
        eventually(f"{self.name} ends", lambda: {"succeeded", "failed"} & self.status.keys(), timeout)
        return Outcome("succeeded" in self.status, self.release.kubectl("logs", f"job/{self.name}"))


@dataclass
class Outcome:
    """What k6 said at the end."""

    passed: bool
    text: str

    def number(self, metric: str) -> float:
        """A counter or the failed share of k6's summary: `accepted`, `http_reqs`, `http_req_failed`."""
        found = re.search(rf"^\s*{metric}\.*: (?:([\d.]+)% )?\s*([\d.]+)?", self.text, re.M)
        assert found, f"no {metric} in the summary:\n{self.text[-2000:]}"
        return float(found[1] or found[2] or 0)

    @property
    def complaints(self) -> str:
        """What went wrong, line by line, then the end of the summary."""
        return "\n".join([*re.findall(r".*level=(?:warning|error).*", self.text)[:40], self.text[-2500:]])

    def answers(self) -> list[str]:
        """Lines of `dev.invariants --answers`: what was promised to whom."""
        return re.findall(r"\b((?:placed|accepted) [0-9A-Z]{26})\b", self.text)


def start(release: Release, name: str, script: str, duration: str, vus: int = 10, **env: object) -> Load:
    """Starts k6; `env` are the script's settings."""
    settings = {"enabled": "true", "script": script, "vus": vus}
    options = [part for key, value in settings.items() for part in ("--set", f"loadTest.{key}={value}")]
    strings = {"duration": duration, **{f"env.{key}": value for key, value in env.items()}}
    options += [part for key, value in strings.items() for part in ("--set-string", f"loadTest.{key}={value}")]
    job = rendered(release, "load-test-job.yaml", "Job", *options)
    job["metadata"]["name"] = f"{release.name}-{name}"
    release.kubectl("apply", "-f", "-", stdin=json.dumps(job))
    load = Load(release, job["metadata"]["name"])
    eventually(f"{name} runs", load.running, 60)
    return load


def check_answers(release: Release, answers: list[str]) -> str:
    """The invariants, and that every promise to a buyer was kept: the pod of `helm test` with other arguments."""
    pod = rendered(release, "tests/orders.yaml", "Pod")
    name = f"{release.name}-answers"
    for kind in ("pod", "configmap"):
        release.kubectl("delete", kind, name, "--ignore-not-found", "--wait")
    answers_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"answers": "\n".join(answers) + "\n"},
    }
    release.kubectl("create", "-f", "-", stdin=json.dumps(answers_map))
    pod["metadata"] = {"name": name, "labels": pod["metadata"]["labels"]}
    pod["spec"]["containers"][0]["command"] = ["python", "-m", "dev.invariants", "--answers", "/scripts/answers"]
    for volume in pod["spec"]["volumes"]:
        if volume["name"] == "script":
            volume["configMap"] = {"name": name}
    release.kubectl("create", "-f", "-", stdin=json.dumps(pod))

    def phase() -> str:
        return str(release.get("pod", name)["status"]["phase"])

    eventually("the invariants are read", lambda: phase() in ("Succeeded", "Failed"), 400)
    text = release.kubectl("logs", name)
    assert phase() == "Succeeded", text
    return text
