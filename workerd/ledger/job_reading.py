"""Reads the job rows: all of them at first, and again when the database says that one may have changed."""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.db.models import BigIntegerField, QuerySet, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from workerd.job_rules.stored_json import JSON_COLUMNS
from workerd.models import Job

from .fleet_size import FleetSize
from .problems import Problem
from .row_marks import Mark, ask, read_versions, version_of
from .rows import COLUMNS

FULL_SECONDS = 60.0
"""All rows are read once a minute whatever the database says: a server that forgets a change may hide none for long.

Each of more than MANY nodes reads them less often, in proportion.
"""
FEW = 100
"""The most changed rows that are read by their keys; where there are more, all rows are read."""
_SELECTED = tuple(f"{name}_text" if name in JSON_COLUMNS else name for name in COLUMNS)
_ID_AT = COLUMNS.index("id")
_VERSION_AT = -1


class JobReading:
    """Keeps the columns of every row as they were last read, and its problem's."""

    def __init__(self, alias: str, clock: Callable[[], float] = time.monotonic, size: FleetSize | None = None) -> None:
        self._alias = alias
        self._clock = clock
        self._size = size or FleetSize()
        self._rows: dict[int, tuple[Any, ...]] | None = None
        self._mark: Mark | None = None
        self._full_at = 0.0

    def look(self) -> bool:
        """Read what may have changed; return whether something has, as it has at first. Raises the database's errors.

        Nothing here grows with the rows while none of them changes.
        """
        mark = ask(self._alias)  # before the rows are read, so that what changes meanwhile is found the next time
        before = self._rows
        if mark is None or self._mark is None or mark[0] is not self._mark[0] or self._clock() >= self._full_at:
            self._rows = self._read_all()
        elif mark != self._mark:
            self._rows = self._read_changed()
        self._mark = mark
        return self._rows is not before and self._rows != before

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the columns of every row, and its problem's."""
        return (row[:_VERSION_AT] for row in self._known().values())

    @property
    def weight(self) -> int:
        """The server's cost of one question for changes, in rows."""
        return len(self._known())

    def _known(self) -> dict[int, tuple[Any, ...]]:
        return {} if self._rows is None else self._rows

    def _read_all(self) -> dict[int, tuple[Any, ...]]:
        rows = {row[_ID_AT]: row for row in self._select()}
        now, size = self._clock(), self._size
        every = size.stretched(FULL_SECONDS)
        is_usual = self._full_at and now >= self._full_at
        # Else the session is new, or many rows are: so it is for all nodes, which would stay in step.
        self._full_at = now + (size.varied(every) if is_usual else size.within(every))
        return rows

    def _read_changed(self) -> dict[int, tuple[Any, ...]]:
        """Read the rows that changed, where the database tells which and they are few."""
        if version_of(self._alias) is None:
            return self._read_all()
        known, versions = self._known(), read_versions(self._alias)
        changed = {pk for pk, version in versions.items() if known.get(pk, (None,))[_VERSION_AT] != version}
        if len(changed) > FEW:
            return self._read_all()
        left = {pk: row for pk, row in known.items() if pk in versions}
        return left | {row[_ID_AT]: row for row in self._select(changed)}

    def _select(self, keys: Collection[int] | None = None) -> QuerySet[Job, tuple[Any, ...]]:
        """JSON as text, so that one that is not JSON does not keep the others from being read."""
        texts = {f"{name}_text": Cast(name, TextField()) for name in JSON_COLUMNS}
        rows = Job.objects.using(self._alias).order_by().annotate(**texts)
        if keys is not None:
            rows = rows.filter(pk__in=keys)
        return rows.values_list(*_SELECTED, *Problem._fields, self._version())

    def _version(self) -> Any:
        version = version_of(self._alias)
        if version is None:
            return Value(None, output_field=BigIntegerField(null=True))
        return RawSQL(version, (), output_field=BigIntegerField())  # noqa: S611 - a constant
