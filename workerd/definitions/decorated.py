"""The jobs that ``@job`` defines where a function is marked with fields of a row."""

from workerd.registry import registered

from .definition import DefinitionFault
from .table import Table


def decorated_tables() -> tuple[list[Table], list[DefinitionFault]]:
    """Return a table for each marked function that defines a job, and a fault for each name that two of them have."""
    tables: dict[str, Table] = {}
    faults = []
    for found in registered().values():
        if found.defines is None:
            continue
        name, values = found.defines
        table = Table(name, {"target": found.dotted, **values}, found.dotted, is_mark=True)
        first = tables.setdefault(name, table)
        if first is not table:
            sentence = (
                f"“{first.place}” defines the job “{name}”, too. "
                'Give one of them another name, such as @job(name="nightly-clean").'
            )
            faults.append(DefinitionFault(table.place, sentence))
    return list(tables.values()), faults
