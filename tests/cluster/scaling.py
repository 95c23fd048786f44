"""What more pods bring and cost: `make cluster-scaling`, on the cluster of KUBECONFIG; about 10 minutes.

Submits with 1, 2 and 3 pods of order, purchases with 1, 2 and 3 of flash-sale, their HPAs off. For each number of pods
it prints the rate and the CPU time by request of every part, with its share. The kubelet counts the CPU and the gateway
the requests, both over the same time in the middle of a load.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.conftest import remove_namespace
from tests.cluster.load import start
from tests.cluster.release import SERVICES, Release, make_namespace, run

NAMESPACE = "eshop-scaling"
# The service whose pods change: the script, its users, and the route that is counted.
LOADS = {
    "order": ("submitOrder.js", 100, "/api/v1/order/submit"),
    "flash-sale": ("flashSale.js", 200, "/api/v1/flashSale"),
}
PODS = (1, 2, 3)
# Before, during and after the time that counts: the kubelet looks every 10 to 15 seconds.
WARM_SECONDS, SECONDS, REST_SECONDS = 20, 45, 15


@dataclass(frozen=True)
class Cost:
    """`rate` in requests a second, `cpu` in µs of CPU by request and part."""

    rate: float
    cpu: dict[str, float]


def cpu_by_pod(release: Release) -> dict[str, tuple[float, float]]:
    """When the kubelets last looked, and the CPU seconds used until then, by pod."""
    found = {}
    for node in json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"]:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(run("kubectl", "get", "--raw", path))["pods"]:
            if pod["podRef"]["namespace"] == release.namespace and "cpu" in pod:
                seen = datetime.fromisoformat(pod["cpu"]["time"]).timestamp()
                found[pod["podRef"]["name"]] = (seen, pod["cpu"]["usageCoreNanoSeconds"] / 1e9)
    return found


def answered(release: Release, route: str) -> tuple[float, float]:
    """When the gateways were asked, and the requests to `route` that they had answered until then."""
    total = 0.0
    for pod in release.pods("gateway"):
        path = f"/api/v1/namespaces/{release.namespace}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
        families = text_string_to_metric_families(run("kubectl", "get", "--raw", path))
        samples = [sample for family in families for sample in family.samples]
        total += sum(
            sample.value
            for sample in samples
            if sample.name == "eshop_http_request_duration_seconds_count" and sample.labels["route"] == route
        )
    return time.time(), total


def part(release: Release, pod: str) -> str:
    """The part of the shop that a pod belongs to; `k6` for the load."""
    name = pod.removeprefix(f"{release.name}-")
    if name.startswith("scaling"):
        return "k6"
    parts = (*SERVICES, "dtm-mysql", "dtm-redis", "mysql", "redis", "kafka")
    return max((one for one in parts if name.startswith(f"{one}-")), key=len, default="others")


def measure(release: Release, service: str) -> Cost:
    """One load, and what it cost."""
    script, vus, route = LOADS[service]
    duration = f"{WARM_SECONDS + SECONDS + REST_SECONDS}s"
    load = start(release, "scaling", script, duration, vus=vus, P95=60000)
    time.sleep(WARM_SECONDS)
    before, first = cpu_by_pod(release), answered(release, route)
    time.sleep(SECONDS)
    after, last = cpu_by_pod(release), answered(release, route)
    outcome = load.finish()
    assert outcome.number("http_req_failed") == 0, outcome.text[-3000:]
    release.kubectl("delete", "job", load.name)
    rate = (last[1] - first[1]) / (last[0] - first[0])
    cores: dict[str, float] = defaultdict(float)
    for pod, (seen, seconds) in after.items():
        since, used = before.get(pod, (seen, seconds))
        if seen > since:
            cores[part(release, pod)] += (seconds - used) / (seen - since)
    return Cost(rate, {name: value * 1e6 / rate for name, value in cores.items()})


def scale(release: Release, service: str, pods: int) -> None:
    release.kubectl("scale", release.workload(service), f"--replicas={pods}")
    release.await_ready(service)
    time.sleep(10)  # neighbours see the new pods


def show(service: str, costs: dict[int, Cost]) -> None:
    """A Markdown table: a row for each part, µs by request and share in %."""
    script, vus, _ = LOADS[service]
    print(f"\n{script}, {vus} VUs: CPU µs by request (share)\n")
    print("| part | " + " | ".join(f"{pods} {service}" for pods in costs) + " |")
    print("| --- |" + " --- |" * len(costs))
    print("| requests/s | " + " | ".join(f"{cost.rate:,.0f}" for cost in costs.values()) + " |")
    sums = {pods: sum(cost.cpu.values()) for pods, cost in costs.items()}
    print("| all | " + " | ".join(f"{total:,.0f}" for total in sums.values()) + " |")
    for name in sorted(costs[1].cpu, key=lambda one: -costs[1].cpu[one]):
        cells = [(cost.cpu.get(name, 0), 100 * cost.cpu.get(name, 0) / sums[pods]) for pods, cost in costs.items()]
        print(f"| {name} | " + " | ".join(f"{value:.0f} ({share:.0f} %)" for value, share in cells) + " |", flush=True)


def main() -> None:
    remove_namespace(NAMESPACE)
    make_namespace(NAMESPACE)
    off = [f"services.{service}.autoscaling.enabled=false" for service in LOADS]
    # A sale of a million units needs more than the 128 MB of values-dev.yaml: a full Redis refuses buyers.
    room = ["redis.maxMemory=1gb", "redis.resources.limits.memory=2Gi"]
    release = Release("eshop", NAMESPACE, [*off, *room, *(f"services.{service}.replicas=1" for service in LOADS)])
    try:
        release.install()
        for service in sys.argv[1:] or LOADS:
            costs = {}
            for pods in PODS:
                scale(release, service, pods)
                costs[pods] = measure(release, service)
            scale(release, service, 1)
            show(service, costs)
        print(release.test())
    finally:
        remove_namespace(NAMESPACE)


if __name__ == "__main__":
    main()
