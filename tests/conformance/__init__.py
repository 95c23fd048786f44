"""The conformance suite: the same cases against the embedded coordinator and the original DTM."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in ("cases_api", "cases_calls", "cases_saga", "cases_message", "cases_crash", "dtm", "participants")
    )
)
