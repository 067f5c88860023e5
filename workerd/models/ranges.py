"""A number's range, told twice: to the form beside the field, and to the database, which has the last word."""

from collections.abc import Iterator, Mapping

from django.core.validators import BaseValidator, MaxValueValidator, MinValueValidator
from django.db.models import BaseConstraint, CheckConstraint, Q

from workerd.durations import MAX_SECONDS

SMALLEST_S = 0.001

RANGES: Mapping[str, tuple[float, float]] = {
    "processes": (0, 1000),
    "backoff_initial": (0, MAX_SECONDS),
    "backoff_max": (0, MAX_SECONDS),
    "max_restarts": (0, 1_000_000),
    "restart_window": (SMALLEST_S, MAX_SECONDS),
    "start_grace": (0, MAX_SECONDS),
    "start_timeout": (SMALLEST_S, MAX_SECONDS),
    "heartbeat_timeout": (SMALLEST_S, MAX_SECONDS),
    "stop_timeout": (SMALLEST_S, MAX_SECONDS),
    "max_memory": (1, 2**24),
    "max_age": (SMALLEST_S, MAX_SECONDS),
    "nice": (-20, 19),
}
"""Both ends belong to the range. An upper one stands everywhere: it keeps infinity and PostgreSQL's NaN out."""


def range_validators(field: str) -> list[BaseValidator]:
    """Return the validators that hold ``field`` in its range."""
    low, high = RANGES[field]
    return [MinValueValidator(low), MaxValueValidator(high)]


def range_constraints() -> Iterator[BaseConstraint]:
    """Yield a check constraint for each range; a null passes, as SQL has it."""
    for field, (low, high) in RANGES.items():
        condition = Q((f"{field}__gte", low), (f"{field}__lte", high))
        yield CheckConstraint(condition=condition, name=f"workerd_job_{field}_range")
