"""The schemas of the shop: each has a history of its own in db/<name>/versions and a database of its own in MySQL."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# Database by history: a folder with versions is a schema.
SCHEMAS = {
    path.parent.name: "dtm" if path.parent.name == "dtm" else f"eshop_{path.parent.name}"
    for path in sorted(FOLDER.glob("*/versions"))
}
