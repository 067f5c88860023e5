"""Writes records as rows: whole rows, where they are newer, in a fixed number of queries for a batch."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import models, transaction

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.models import Run, Slot
from workerd.models.clock import DatabaseNow

from .connection import write_transaction
from .entry import Entry
from .node import NodeRow
from .operations import OpenOrders
from .problems import Problem
from .refusals import RefusedRecordError, SharedRefusalError, describe_refusal, narrowed
from .sanitize import clean_for, clean_text
from .told_run import ToldRun

PLAIN_VERSION = 2**63 - 1
"""Newer than any: what is tried with it is taken back."""

_OF_THE_NODE = frozenset({"node", "slot", "problem"})
"""The records that a displaced life writes no longer; its runs and orders have ends that no other life knows."""

NO_RECORD: Mapping[type[models.Model], Sequence[str]] = {Slot: ("samples", "recent_memory")}
"""The columns that records leave alone: samples are written by themselves."""

Write = Callable[[Sequence[Entry]], None]
SetAside = Callable[[Entry, str], None]
NoteProblem = Callable[[str, Problem], None]


class RecordWriter:
    """Writes entries of the journal to the database; finds the one record that it refuses, and sets that aside."""

    def __init__(
        self, alias: str, node: NodeRow, set_aside: SetAside, note_problem: NoteProblem, operations: OpenOrders
    ) -> None:
        self._alias = alias
        self._node = node
        self._set_aside = set_aside
        self._note_problem = note_problem
        self._writers: dict[str, Write] = {
            "node": node.write,
            "run": self._write_runs,
            "slot": self._write_slots,
            "problem": self._write_problems,
            "operation": operations.write,
        }

    def apply(self, batch: Sequence[Entry]) -> list[Entry]:
        """Write the batch and return what may be forgotten. Raises the database's errors, but not for a bad record."""
        self._node.find()  # before the writes, whose rollback would take a row away that was just made
        written: list[Entry] = []
        for kind, write in self._writers.items():
            entries = [entry for entry in batch if entry.kind == kind]
            is_anothers = self._node.is_displaced and kind in _OF_THE_NODE
            written += entries if is_anothers else self._write(entries, write)
        for entry in batch:
            if entry.kind not in self._writers:
                self._set_aside(entry, f'no kind of record is called "{entry.kind}"')
        return written

    def _write(self, entries: Sequence[Entry], write: Write) -> list[Entry]:
        """Write all entries; if that is refused, write each half by itself, down to the one entry that is refused."""
        if not entries:
            return []
        try:
            with write_transaction(self._node.connection):
                write(entries)
        except Exception as error:
            if classify(error) is not DatabaseFault.POISON:
                raise
            if len(entries) == 1:
                return self._write_refused(entries[0], write, describe_refusal(error))
        else:
            return list(entries)
        middle = len(entries) // 2
        return self._write(entries[:middle], write) + self._write(entries[middle:], write)

    def _write_refused(self, entry: Entry, write: Write, reason: str) -> list[Entry]:
        """Write as much of a refused entry as the database can store; set it aside if it is the entry's own fault."""
        for fewer in narrowed(entry):
            if self._is_taken(fewer, write):
                return [entry]
        if (plain := plain_entry(entry.kind)) is not None and not self._is_taken(plain, write, keep=False):
            raise SharedRefusalError(entry.kind, reason)
        self._set_aside(entry, reason)
        return []

    def _is_taken(self, entry: Entry, write: Write, *, keep: bool = True) -> bool:
        """Write the entry, and take it back where it is not to be kept; return whether the database took it."""
        try:
            with write_transaction(self._node.connection):
                write([entry])
                if not keep:
                    transaction.set_rollback(True, using=self._alias)
        except Exception as error:
            if classify(error) is not DatabaseFault.POISON:
                raise
            return False
        return True

    def _write_runs(self, entries: Sequence[Entry]) -> None:
        by_key = {uuid.UUID(entry.key): entry for entry in entries}
        rows_of = Run.objects.using(self._alias).filter(pk__in=by_key)
        known = {pk: ToldRun(*values) for pk, *values in rows_of.values_list("pk", *ToldRun._fields)}
        newer = [
            (pk, entry) for pk, entry in by_key.items() if pk not in known or known[pk].yields_to(entry, self._node.pk)
        ]
        ours = {"node_id": self._node.pk, "node_name": self._node.label, "recorded": DatabaseNow()}
        rows = [_build(Run, entry, {**ours, "id": pk}) for pk, entry in newer]
        self._upsert(Run, rows, ("id",))

    def _write_slots(self, entries: Sequence[Entry]) -> None:
        by_place = {_place(entry.key): entry for entry in entries}
        mine = Slot.objects.using(self._alias).filter(node_id=self._node.pk)
        known = {
            (job_name, index): (pk, version)
            for pk, job_name, index, version in mine.filter(
                job_name__in={job_name for job_name, _ in by_place}
            ).values_list("pk", "job_name", "index", "version")
        }
        rows, gone = [], []
        for place, entry in by_place.items():
            pk, version = known.get(place, (None, -1))
            if entry.version <= version:
                continue
            if entry.row is not None:
                job_name, index = place
                rows.append(_build(Slot, entry, {"node_id": self._node.pk, "job_name": job_name, "index": index}))
            elif pk is not None:
                gone.append(pk)
        if gone:
            mine.filter(pk__in=gone).delete()
        self._upsert(Slot, rows, ("node", "job_name", "index"))

    def _write_problems(self, entries: Sequence[Entry]) -> None:
        """Note them: what stands in the jobs' rows is all nodes' affair."""
        for entry in entries:
            self._note_problem(entry.key, _problem_of(entry.row or {}))

    def _upsert(self, model: type[models.Model], rows: Sequence[models.Model], unique: Sequence[str]) -> None:
        """Insert or update in one statement (on SQLite, which limits parameters, in a few)."""
        if not rows:
            return
        fields = model._meta.concrete_fields
        columns = [
            field.name
            for field in fields
            if not field.primary_key and field.name not in (*unique, *NO_RECORD.get(model, ()))
        ]
        objects = model._default_manager.using(self._alias)
        target = unique if self._node.connection.features.supports_update_conflicts_with_target else None
        objects.bulk_create(rows, update_conflicts=True, update_fields=columns, unique_fields=target)


def _problem_of(row: Mapping[str, Any]) -> Problem:
    return Problem(*(clean_text(str(row.get(column) or "")) for column in Problem._fields))


def _build(model: type[models.Model], entry: Entry, identity: dict[str, Any]) -> models.Model:
    """Return the row of ``entry``: its values where the column exists, the model's defaults for other columns."""
    if entry.row is None:
        raise RefusedRecordError(f"a {entry.kind} is not deleted by a record")
    values = {}
    for field in model._meta.concrete_fields:
        if field.attname in entry.row:
            try:
                values[field.attname] = clean_for(field, entry.row[field.attname])
            except (ValueError, TypeError, OverflowError) as error:
                kind = type(error).__name__
                raise RefusedRecordError(f"its “{field.attname}” is no value of that column ({kind})") from error
    return model(**{**values, **identity, "version": entry.version})


def plain_entry(kind: str) -> Entry | None:
    """Return a record of ``kind`` that every database takes whose tables are this version's; None for no such kind."""
    rows: dict[str, tuple[str, dict[str, Any]]] = {
        "run": (str(uuid.uuid4()), {"job_name": "", "slot": "", "index": 0}),
        "slot": ("\n0", {"name": "", "state": "STOPPED"}),
        "operation": (str(uuid.uuid4()), {"verb": "restart"}),
    }
    if kind not in rows:
        return None
    key, row = rows[kind]
    return Entry(0, kind, key, PLAIN_VERSION, row)


def _place(key: str) -> tuple[str, int]:
    job_name, _, index = key.rpartition("\n")
    return clean_text(job_name, 100), int(index)
