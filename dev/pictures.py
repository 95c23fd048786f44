"""Draws panels of the dashboards from Prometheus data, for places where no Grafana can run: `python -m dev.pictures`.

    pip install matplotlib                                # for this alone, so in no lock
    make monitor                                          # then put the shop under load
    python -m dev.pictures --minutes 5                    # writes docs/img/<dashboard>.png

The queries and titles are the dashboards' own.
"""

from __future__ import annotations

import argparse
import math
import re
import time
from datetime import UTC, datetime
from typing import Any

from dev.dashboards import flash_sale, shop, transactions
from dev.layout import ROOT
from dev.monitor import SCRAPE_SECONDS, Monitor
from dev.stack import Stack

FOLDER = ROOT / "docs" / "img"
COLUMNS = 3
# By dashboard: its title in the picture and the panels worth a look.
PICTURES = {
    "shop": (
        shop.DASHBOARD,
        [
            "Placed, by way in",
            "Flash sales: answers",
            "Wait for the answer of a purchase",
            "Orders waiting in Kafka, by topic",
            "Time of a saga, p95",
            "Orders in a saga, on average",
        ],
    ),
    "flash-sale": (
        flash_sale.DASHBOARD,
        ["Answers", "Wait for the answer", "Buyers in a batch, on average"],
    ),
    "transactions": (
        transactions.DASHBOARD,
        ["By outcome", "Duration", "Branch calls"],
    ),
}
UNITS = {"s": "seconds", "ops": "per second", "reqps": "per second", "percentunit": "share", "bytes": "bytes"}
_VARIABLES = {"$release": "local", "$namespace": "local", "$__rate_interval": f"{4 * SCRAPE_SECONDS}s"}


def draw(monitor: Monitor, name: str, start: float, end: float) -> None:
    """Writes one picture of the panels between two times (Unix seconds)."""
    import matplotlib.pyplot as plt

    dashboard, titles = PICTURES[name]
    built = dashboard.build()
    panels = {panel.title: panel for panel in built.panels or [] if panel.title}
    rows = math.ceil(len(titles) / COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(5 * COLUMNS, 3.1 * rows), squeeze=False)
    for title, axis in zip(titles, axes.flat, strict=False):
        _draw_panel(monitor, panels[title], axis, start, end)
    figure.suptitle(built.title, x=0.01, ha="left", fontsize=14, fontweight="bold")
    figure.tight_layout()
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.savefig(FOLDER / f"dashboard-{name}.png", dpi=110)


def _draw_panel(monitor: Monitor, panel: Any, axis: Any, start: float, end: float) -> None:
    stacked = bool(panel.field_config.defaults.custom.stacking)
    lines: list[tuple[str, list[float], list[float]]] = []
    for target in panel.targets:
        expression = target.expr
        for variable, value in _VARIABLES.items():
            expression = expression.replace(variable, value)
        for series in monitor.query_range(expression, start, end, SCRAPE_SECONDS):
            values = [float(value) for _, value in series["values"]]
            if any(value > 0 for value in values):
                times = [float(moment) - start for moment, _ in series["values"]]
                lines.append((_legend(target.legend_format, series["metric"]), times, values))
    for legend, times, values in sorted(lines):
        axis.plot(times, values, label=legend, linewidth=1.8)
        if stacked:
            axis.fill_between(times, values, alpha=0.15)
    axis.set_title(panel.title, fontsize=10, loc="left")
    axis.set_ylabel(UNITS.get(panel.field_config.defaults.unit, ""), fontsize=8)
    axis.set_xlabel("seconds", fontsize=8)
    axis.set_ylim(bottom=0)
    axis.set_xlim(0, end - start)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    if lines:
        axis.legend(fontsize=7, frameon=False)


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--end", type=float, help="Unix seconds; now")
    arguments = parser.parse_args()
    monitor = Monitor(Stack())
    end = arguments.end or time.time()
    for name in PICTURES:
        draw(monitor, name, end - arguments.minutes * 60, end)
        print(f"{FOLDER / f'dashboard-{name}.png'}, until {datetime.fromtimestamp(end, UTC):%H:%M:%S} UTC")


if __name__ == "__main__":
    main()
