"""The names of a run in OpenTelemetry: both come from the run's UUID, so that nobody has to tell them to anybody.

A run's UUID is of version 4: its version and its variant are bits that are set, so no trace id is zero, which W3C
forbids.
"""

import hashlib
import uuid

TRACE_VARIABLE = "TRACEPARENT"
STATE_VARIABLE = "TRACESTATE"
"""Notes of other tracers beside it, which belong to the parent that they came with."""
SAMPLED = 1


def trace_id(run: str) -> int:
    """Return the 128 bits of the run's UUID. Raises ValueError where it is none."""
    return uuid.UUID(run).int


def span_id(run: str) -> int:
    """Return the first 64 bits of the SHA-256 of the UUID's 16 bytes; 1 in place of 0, which W3C forbids."""
    return int.from_bytes(hashlib.sha256(uuid.UUID(run).bytes).digest()[:8]) or 1


def traceparent(run: str) -> str:
    """Return the run's span as the parent of others, as W3C writes it: ``00-TRACE-SPAN-01``, in hexadecimal."""
    return f"00-{trace_id(run):032x}-{span_id(run):016x}-{SAMPLED:02x}"
