"""Finds what a definition of an engine's consumer may say but hardly means."""

from collections.abc import Iterator

from workerd.consumers.warnings import find_consumer_warnings
from workerd.job_rules.written import filled, find_written_faults
from workerd.wire.spec import JobSpec

from .definition import DefinitionFault
from .table import Table, said_of


def find_likely_mistakes(table: Table) -> Iterator[DefinitionFault]:
    """Yield a warning for each, as for its row; a disabled job has none, nor one with a fault."""
    values = filled(table.values)
    if find_written_faults(table.name, values) or not values["enabled"]:
        return
    spec = JobSpec(table.name, **{field: value for field, value in values.items() if field in JobSpec._fields})
    for warning in find_consumer_warnings(spec):
        yield DefinitionFault(table.place_of(warning.field), said_of(table.name, warning.sentence))
