"""Fixtures that render the chart. They need helm and no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import Object, Rendered, template


@pytest.fixture
def render(tmp_path: Path):
    """render({"mysql": {"enabled": False, …}}, release="eshop", files=["values-dev.yaml"]) -> Rendered"""

    def run(values: Object | None = None, **options: object) -> Rendered:
        done = template(tmp_path, values, **options)
        assert done.returncode == 0, done.stderr
        return Rendered(o for o in yaml.safe_load_all(done.stdout) if o)

    return run


@pytest.fixture
def refusal(tmp_path: Path):
    """refusal(values) -> what helm says when it refuses them."""

    def run(values: Object, **options: object) -> str:
        done = template(tmp_path, values, **options)
        assert done.returncode != 0, "helm took these values"
        return done.stderr

    return run
