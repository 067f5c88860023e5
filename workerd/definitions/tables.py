"""The tables of a file of definitions, each with the lines in which it and its fields stand."""

import difflib
from pathlib import Path
from typing import Any

from workerd.job_rules.rule import shown
from workerd.job_rules.written import read_written
from workerd.wire.visible import visible

from .definition import DefinitionFault
from .lines import find_lines
from .table import Table, said_of
from .toml_file import read_document, shown_path

JOBS = "jobs"
"""The one table of a file; each table in it is a job."""


def read_tables(path: Path) -> tuple[list[Table], list[DefinitionFault]]:
    """Return the jobs' tables, and what is wrong with them. Raises UnreadableError where the file is no TOML."""
    document, text = read_document(path)
    places = _Places(shown_path(path), text)
    faults = [DefinitionFault(places.of(key), _unknown_table(key)) for key in document if key != JOBS]
    jobs = document.get(JOBS, {})
    if not isinstance(jobs, dict):
        sentence = f"“{JOBS}” is {_kind(jobs)}, not a table: write one for each job, as in [jobs.mail]."
        return [], [*faults, DefinitionFault(places.of(JOBS), sentence)]
    tables = []
    for job, written in jobs.items():
        table, found = _read_table(job, written, places)
        tables += table
        faults += found
    return tables, faults


class _Places:
    """Says where in a file a path of keys stands: the file and the line, or the file where no line can be told."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = find_lines(text)

    def of(self, *keys: str) -> str:
        return f"{self._name}, line {self._lines[keys]}" if keys in self._lines else self._name

    def known(self, *keys: str) -> bool:
        return keys in self._lines


def _read_table(job: str, written: Any, places: _Places) -> tuple[list[Table], list[DefinitionFault]]:
    if not isinstance(written, dict):
        sentence = f"it is {_kind(written)}, not a table: write [jobs.{visible(job)}], and its fields below that."
        return [], [DefinitionFault(places.of(JOBS, job), said_of(job, sentence))]
    values, found = read_written(written)
    of_fields = {field: places.of(JOBS, job, field) for field in written if places.known(JOBS, job, field)}
    table = Table(job, values, places.of(JOBS, job), of_fields, frozenset(fault.field for fault in found))
    faults = [DefinitionFault(table.place_of(fault.field), said_of(job, fault.sentence)) for fault in found]
    return [table], faults


def _unknown_table(key: str) -> str:
    close = difflib.get_close_matches(key.lower(), [JOBS], n=1)
    remedy = f"Did you mean “{JOBS}”?" if close else "Write a table for each job, as in [jobs.mail]."
    return f"{shown(key)} is no table of definitions. {remedy}"


def _kind(value: Any) -> str:
    """Return what stands where a table should: a list may nest too deep to be shown."""
    return "a list" if isinstance(value, list) else shown(value)
