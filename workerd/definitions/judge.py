"""Judges each job of the declared set as its row will be judged: by the rules, and by what the project allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workerd.job_rules import Fault
from workerd.job_rules.written import filled, find_written_faults
from workerd.refusals import RowError
from workerd.targets import resolve
from workerd.wire.spec import JobSpec

from .definition import DefinitionFault
from .table import Table, said_of

PROGRAM = ("target", "command", "kwargs", "environment")
"""The fields that the project has a say in."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges tables by what is known: a file that could not be read may hold what a table leaves out."""

    is_whole: bool = True
    has_jobs: bool = True
    """The project's modules of jobs are loaded, so that each allowed target can be told."""

    def find_faults(self, table: Table) -> Iterator[DefinitionFault]:
        """Yield each fault of a job, at the place of the field."""
        told = set()
        for fault in self._find(table):
            if fault.sentence not in told:  # a fault of two fields is one
                yield DefinitionFault(table.place_of(fault.field), said_of(table.name, fault.sentence))
            told.add(fault.sentence)

    def _find(self, table: Table) -> Iterator[Fault]:
        values = self._known(table)
        faults = find_written_faults(table.name, values)
        yield from faults
        if not {fault.field for fault in faults}.intersection(PROGRAM):
            yield from self._program_faults({field: values[field] for field in PROGRAM if field in values})

    def _known(self, table: Table) -> dict[str, Any]:
        if not self.is_whole:
            return dict(table.values)
        return {
            field: value
            for field, value in filled(table.values).items()
            if field in table.values or field not in table.unread
        }

    def _program_faults(self, program: Mapping[str, Any]) -> list[Fault]:
        if not (program.get("command") or (program.get("target") and self.has_jobs)):
            return []
        try:
            resolve(JobSpec("job", **program))
        except RowError as error:
            return [fault for fault in error.faults if self.is_whole or fault.field in ("target", "command")]
        return []
