"""The declared set: every job that the code defines, read and judged whole before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from workerd.conf import get_settings
from workerd.job_rules.written import DEFAULTS, default_of
from workerd.refusals import import_failed
from workerd.registry import autodiscover

from .decorated import decorated_tables
from .definition import Definition, DefinitionFault
from .judge import Judge
from .likely_mistakes import find_likely_mistakes
from .overlay import overlay
from .secret_values import find_plain_secrets
from .start_order import find_faults_between
from .table import Table
from .tables import read_tables
from .toml_file import UnreadableError

PROJECT = "the project"
"""The place of the fault that its modules of jobs do not load."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The definitions by name, and everything that is wrong with them; with faults, nothing is to be written."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    faults: list[DefinitionFault] = field(default_factory=list)
    warnings: list[DefinitionFault] = field(default_factory=list)
    """Faults that are no reason to refuse the definitions: a secret that anybody reads in it, a likely mistake."""
    is_whole: bool = True
    """False where a file could not be read, or the project's code: there may be more definitions than these."""


def source_name() -> str:
    """Return the name of this service's definitions, as ``Job.source`` has it: ``WORKERD["NAME"]``.

    Two services on one database have two names, so neither prunes the other's rows.
    """
    return get_settings().name


def read_declared() -> Declared:
    """Return the definitions of ``@job`` and of ``WORKERD["DEFINITIONS"]``. Raises SettingsError."""
    reading = _Reading()
    reading.load_project()
    reading.read_marks()
    for path in get_settings().definitions:
        reading.read(path)
    return reading.finish()


def read_file(path: Path) -> Declared:
    """Return the definitions of one file alone, which overlays nothing. Raises SettingsError."""
    reading = _Reading()
    reading.load_project()
    reading.read(path)
    return reading.finish()


class _Reading:
    """Collects the tables and the faults of all places."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._faults: list[DefinitionFault] = []
        self._judge = Judge()

    def load_project(self) -> None:
        try:
            autodiscover()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the project's modules
            self._faults.append(
                DefinitionFault("the project", str(import_failed("target", "The project's jobs", error)))
            )
            self._judge = Judge(has_jobs=False, is_whole=False)

    def read_marks(self) -> None:
        self._add(*decorated_tables())

    def read(self, path: Path) -> None:
        try:
            self._add(*read_tables(path))
        except UnreadableError as error:
            self._faults.append(error.fault)
            self._judge = replace(self._judge, is_whole=False)

    def finish(self) -> Declared:
        joined, faults = overlay(self._tables)
        self._faults += faults
        warnings: list[DefinitionFault] = []
        for table in joined.values():
            self._faults += self._judge.find_faults(table)
            warnings += find_plain_secrets(table)
            warnings += find_likely_mistakes(table)
        definitions = {name: _definition(table) for name, table in joined.items()}
        self._faults += find_faults_between(definitions)
        return Declared(definitions, self._faults, warnings, self._judge.is_whole)

    def _add(self, tables: Iterable[Table], faults: Iterable[DefinitionFault]) -> None:
        self._tables += tables
        self._faults += faults


def _definition(table: Table) -> Definition:
    values = dict(table.values)
    if default_of("restart", values) != DEFAULTS["restart"]:
        values.setdefault("restart", default_of("restart", values))
    return Definition(table.name, {key: values[key] for key in DEFAULTS if key in values}, table.place)
