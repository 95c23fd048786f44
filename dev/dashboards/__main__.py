"""Writes the JSON of every dashboard into the chart: `python -m dev.dashboards`; `--check` tells whether it is there."""

from __future__ import annotations

import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dev.dashboards import capacity, flash_sale, services, shop, stores, transactions
from dev.layout import ROOT

FOLDER = ROOT / "charts" / "eshop" / "dashboards"


def rendered() -> dict[str, str]:
    """JSON by file name."""
    found = {}
    for module in (shop, services, flash_sale, transactions, stores, capacity):
        dashboard = module.DASHBOARD.build()
        assert dashboard.uid, "a dashboard has a uid"  # noqa: S101
        name = dashboard.uid.removeprefix("eshop-")
        found[f"{name}.json"] = JSONEncoder(sort_keys=True, indent=1).encode(dashboard) + "\n"
    return found


def main() -> None:
    files = rendered()
    if "--check" in sys.argv:
        present = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
        if present != files:
            sys.exit("the dashboards of the chart are not those of dev/dashboards: run 'python -m dev.dashboards'")
        return
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
