"""A number's range, as Django's validators and as the database's constraints, which have the last word."""

from collections.abc import Iterator

from django.core.validators import BaseValidator, MaxValueValidator, MinValueValidator
from django.db.models import BaseConstraint, CheckConstraint, Q

from workerd.job_rules.ranges import RANGES


def range_validators(field: str) -> list[BaseValidator]:
    """Return the validators that hold ``field`` in its range."""
    low, high = RANGES[field]
    return [MinValueValidator(low), MaxValueValidator(high)]


def range_constraints() -> Iterator[BaseConstraint]:
    """Yield a check constraint for each range; a null passes, as SQL has it."""
    for field, (low, high) in RANGES.items():
        condition = Q((f"{field}__gte", low), (f"{field}__lte", high))
        yield CheckConstraint(condition=condition, name=f"workerd_job_{field}_range")
