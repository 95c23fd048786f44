"""schemathesis: requests made from the OpenAPI of two services, good and bad ones; no answer is a fault of ours."""

from __future__ import annotations

import contextlib

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 15


@pytest.fixture(scope="session")
def descriptions(stack):
    return {
        name: schemathesis.openapi.from_url(f"{stack.url(name)}/apis/openapi.json", wait_for_schema=5)
        for name in ("order", "user")
    }


def operations(description):
    return [found.ok() for found in description.get_all_operations()]


@pytest.mark.parametrize("name", ["order", "user"])
def test_no_request_is_a_fault_of_ours(descriptions, name):
    description = descriptions[name]
    found = operations(description)
    assert len(found) >= 6
    for operation in found:
        _try(operation, schemathesis.GenerationMode.POSITIVE)
        with contextlib.suppress(Unsatisfiable):  # any text is a good order id: some calls cannot be asked badly
            _try(operation, schemathesis.GenerationMode.NEGATIVE)


def _try(operation, mode):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        case.call_and_validate(
            checks=(
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ),
            timeout=20,
        )

    run()
