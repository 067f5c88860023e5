"""The part of ``check`` for rows of task engines' consumers: what is likely a mistake."""

from collections.abc import Iterator

from workerd.consumers.warnings import find_consumer_warnings
from workerd.definitions.declared import Declared
from workerd.definitions.table import said_of
from workerd.job_rules import find_faults
from workerd.wire.spec import JobSpec

from .refused_jobs import read_jobs


def find_consumer_problems(alias: str, declared: Declared | None = None) -> Iterator[tuple[str, str]]:
    """Yield a warning for each thing, but for what the row's definition is told of already."""
    told = {warning.sentence for warning in declared.warnings} if declared else set()
    for row in read_jobs(alias):
        if not row["enabled"] or find_faults(row):
            continue
        spec = JobSpec(**row)
        for warning in find_consumer_warnings(spec):
            if said_of(spec.name, warning.sentence) not in told:
                yield "warning", f"The job “{spec.name}”: {warning.sentence}"
