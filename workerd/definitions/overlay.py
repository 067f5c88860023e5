"""Joins what several places say of one job: a later one changes fields, and what the job runs is said in one place."""

from collections.abc import Iterable

from .definition import DefinitionFault
from .table import Table, said_of

PROGRAM = ("target", "command")


def overlay(tables: Iterable[Table]) -> tuple[dict[str, Table], list[DefinitionFault]]:
    """Return one table for each name. A later table replaces whole fields of an earlier one."""
    joined: dict[str, Table] = {}
    faults: list[DefinitionFault] = []
    for table in tables:
        earlier = joined.get(table.name)
        if earlier is None:
            joined[table.name] = table
        elif fault := _defined_twice(earlier, table):
            faults.append(fault)
        else:
            joined[table.name] = earlier.overlaid(table)
    return joined, faults


def _defined_twice(earlier: Table, later: Table) -> DefinitionFault | None:
    """Return a fault where both say what the job runs: then they are two jobs of one name.

    A table over a mark may repeat the marked function.
    """
    before = next((field for field in PROGRAM if field in earlier.values), "")
    after = next((field for field in PROGRAM if field in later.values), "")
    repeats_mark = earlier.is_mark and later.values.get("target") == earlier.values["target"]
    if not before or not after or (repeats_mark and "command" not in later.values):
        return None
    sentence = (
        f"what it runs is said here and at {earlier.place_of(before)}. "
        f"Leave {after} out here to change its other fields alone, or rename one of the two jobs."
    )
    return DefinitionFault(later.place_of(after), said_of(later.name, sentence))
