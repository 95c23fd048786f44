"""Prometheus beside a running stack, with the chart's alerts: `python -m dev.monitor` (make monitor).

Needs Debian's package prometheus (or any prometheus on PATH); shows MySQL and Redis too where their exporters
(prometheus-mysqld-exporter, prometheus-redis-exporter) are installed. Its own processes, ports and data: a Prometheus
that the machine runs as a service is left alone. `make down` stops it with the rest.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from dev.errors import StackError
from dev.layout import COORDINATORS, MONITORS, ROOT, SERVICES
from dev.passwords import write_private
from dev.processes import Program
from dev.stack import Stack

RULES = ROOT / "charts" / "eshop" / "alerts" / "eshop.yaml"
SCRAPE_SECONDS = 5
# The labels that the chart's targets carry too: dashboards and alerts go by them.
_LABELS = {"job": "eshop", "release": "local", "namespace": "local"}
_EXPORTERS = {"mysqld-exporter": "mysql", "redis-exporter": "redis"}


class Monitor:
    """Prometheus and the exporters of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.url = stack.url("prometheus")

    def start(self) -> None:
        """Starts what does not run yet; returns when Prometheus has scraped every target once."""
        self._stack.processes.start(self._prometheus())
        for name in _EXPORTERS:
            if shutil.which(f"prometheus-{name}"):
                self._stack.processes.start(self._exporter(name))
        self._wait_scraped()

    def stop(self) -> None:
        self._stack.processes.stop(MONITORS, grace=10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, each with `metric` and `value`."""
        found: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        return found

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of a query over time (Unix seconds), each with `metric` and `values`."""
        found: list[dict[str, Any]] = self._ask("query_range", query=expression, start=start, end=end, step=step)[
            "result"
        ]
        return found

    def exemplars(self, selector: str, start: float, end: float) -> list[dict[str, Any]]:
        """The exemplars of some series over time, each with `labels` and `value`."""
        found = self._ask("query_exemplars", query=selector, start=start, end=end)
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def targets(self) -> dict[str, str]:
        """Health by `service instance`: up, down or unknown."""
        active = self._ask("targets", state="active")["activeTargets"]
        return {f"{one['labels']['service']} {one['labels']['instance']}": one["health"] for one in active}

    def rules(self) -> list[dict[str, Any]]:
        """Every rule that is loaded, with its health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, path: str, **parameters: object) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - our own loopback
            return json.load(response)["data"]

    def _wait_scraped(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self.targets()  # none at first
                if found and "unknown" not in found.values():
                    return
            except OSError:
                pass
            if not self._stack.processes.pid("prometheus"):
                raise StackError(f"prometheus is not running: {self._stack.processes.last_words('prometheus')}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"prometheus has not scraped its targets after {seconds:.0f} s: see {self.url}/targets"
                )
            time.sleep(0.5)

    def _prometheus(self) -> Program:
        binary = shutil.which("prometheus")
        if not binary:
            raise StackError("prometheus is not on PATH: install it, on Debian with 'apt install prometheus'")
        layout = self._stack.layout
        folder = layout.data("prometheus")
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "prometheus.yml"
        configuration.write_text(json.dumps(self._configuration(), indent=1))  # JSON is YAML
        command = (
            binary,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=7d",
            f"--web.listen-address={layout.address('prometheus', 'http')}",
            "--enable-feature=exemplar-storage",
        )
        return Program("prometheus", command, {}, layout.ports("prometheus"), folder)

    def _configuration(self) -> dict[str, Any]:
        coordinators = {name: f"dtm-{name.removeprefix('coordinator-')}" for name in COORDINATORS}
        services = {name: name.replace("_", "-") for name in SERVICES}
        return {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "services", "static_configs": self._targets(services)},
                # The official DTM and the embedded coordinator both answer here.
                {
                    "job_name": "coordinators",
                    "metrics_path": "/api/metrics",
                    "static_configs": self._targets(coordinators),
                },
                {
                    "job_name": "stores",
                    "static_configs": self._targets(
                        {name: store for name, store in _EXPORTERS.items() if shutil.which(f"prometheus-{name}")}
                    ),
                },
            ],
        }

    def _targets(self, services: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {"targets": [self._stack.address(process, "http")], "labels": {**_LABELS, "service": service}}
            for process, service in services.items()
        ]

    def _exporter(self, name: str) -> Program:
        stack, environment = self._stack, {}
        arguments: Sequence[str]
        if name == "mysqld-exporter":
            account = stack.mysql("reader")
            lines = ["[client]", f"user={account.user}", f"password={account.password}"]
            lines += [f"host={account.host}", f"port={account.port}"]
            file = stack.passwords.folder / "handed" / name / "client.cnf"
            write_private(file, "\n".join(lines) + "\n")
            arguments = [f"--config.my-cnf={file}", "--no-collect.slave_status"]
        else:
            server = stack.redis()
            environment = {"REDIS_PASSWORD": server.password}
            arguments = [f"-redis.addr=redis://{server.host}:{server.port}"]
        flag = "--web.listen-address" if name == "mysqld-exporter" else "-web.listen-address"
        command = (f"prometheus-{name}", *arguments, f"{flag}={stack.address(name, 'http')}")
        return Program(name, command, environment, stack.layout.ports(name))


def main() -> None:
    monitor = Monitor(Stack())
    try:
        monitor.start()
    except StackError as error:
        sys.exit(str(error))
    down = [target for target, health in monitor.targets().items() if health != "up"]
    missing = [name for name in _EXPORTERS if not shutil.which(f"prometheus-{name}")]
    print(f"Prometheus scrapes the shop: {monitor.url}/graph, alerts at {monitor.url}/alerts")
    if down:
        print(f"not answering: {', '.join(down)} ('make up' starts the shop)")
    if missing:
        print(f"not installed, so without their metrics: {', '.join(f'prometheus-{name}' for name in missing)}")


if __name__ == "__main__":
    main()
