"""The names of a run in OpenTelemetry."""

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from workerd.wire.trace_context import span_id, trace_id, traceparent


def test_a_known_run_has_known_names() -> None:
    assert traceparent("3f109186-935a-4aba-aeb0-c7be2a7bf40e") == (
        "00-3f109186935a4abaaeb0c7be2a7bf40e-98f5b66946b4b5ac-01"
    )


@given(st.integers(0, 2**128 - 1))
def test_each_run_has_names_that_w3c_allows(bits: int) -> None:
    """A run's UUID is of version 4: whatever its random bits are, six others are 0100 and 10."""
    run = str(uuid.UUID(int=bits, version=4))

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent(run))
    assert trace_id(run) == uuid.UUID(run).int != 0
    assert 0 < span_id(run) < 2**64
