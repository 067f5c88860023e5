"""The node's own row, as far as this life of its daemon has it; its pulse is written by the database's clock.

A record of the node with a new ``started`` means that a new daemon runs. The slots that the one before it left are
deleted then: those with an older version, so that slots which the new daemon has reported meanwhile stay. Those of
scheduled jobs stay until the new daemon has had time to take over what they remember.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, Q, QuerySet

from workerd.models import Node, Slot
from workerd.models.clock import DatabaseNow
from workerd.wire.epochs import first_of_life
from workerd.wire.messages import Message, NodeDisplaced, NodeRegistered

from .entry import Entry
from .registration import Claimant, Registered, leave, look_up, register
from .sanitize import clean_for

_REPORTED = ("daemon_pid", "workerd_version", "generation", "started", "halt", "public_halt")


class NodeRow:
    """The row of this daemon's node; ``send`` tells the daemon whether the row is its life's."""

    def __init__(
        self,
        alias: str,
        who: Claimant,
        send: Callable[[Message], None] = lambda _message: None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._alias = alias
        self._who = who
        self._send = send
        self._labels = json.dumps({**(labels or {})}, sort_keys=True)
        self._pk: int | None = None
        self._had_row = False
        self._cannot: str | None = None
        """The text in the row, as far as is known."""
        self.reserved = 0
        """Where the life is new in the row, the version that no record of it has written yet."""
        self.last_pulse: datetime | None = None
        """The pulse that the row had when this ledger began."""
        self.is_displaced = False
        """Whether the row is another life's for good: nothing but the ends of runs is written any more."""
        self.is_outpaced = False
        """Whether the row is another life's, and newer by its version: this life's daemon is to make newer ones."""

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self._alias]

    @property
    def label(self) -> str:
        return self._who.label

    @property
    def pk(self) -> int:
        return self.find()

    @property
    def rows(self) -> QuerySet[Node]:
        """The row, as long as it is this life's."""
        return Node.objects.using(self._alias).filter(pk=self.pk, life=self._who.life)

    def look(self) -> int | None:
        """Return the primary key without writing anything; None where there is no row yet."""
        seen = next(filter(None, look_up(self._alias, self._who)), None)
        return seen.pk if seen is not None else None

    def find(self) -> int:
        """Return the row's primary key; take or make the row where that was not done. Raises the database's errors."""
        if self._pk is None:
            done = register(self._alias, self._who)
            self._pk = done.seen.pk
            self._tell(done)
        return self._pk

    def _tell(self, done: Registered) -> None:
        if done.lost_to:
            self.is_displaced = True
            self._send(NodeDisplaced(done.lost_to, str(done.seen.life or "")))
            return
        if not self._had_row:
            self.reserved, self.last_pulse = done.reserved, done.seen.pulse
        self._cannot = "{}" if done.reserved else done.seen.cannot
        self._who = replace(self._who, registered=True)
        self._send(NodeRegistered(done.displaced, done.shown_as, self._had_row))
        self._had_row = True

    def highest_version(self) -> int:
        """Return the largest version of the lives before, or of this one's row and slots. Raises database errors."""
        if self.reserved:
            return self.reserved - 1
        slots = Slot.objects.using(self._alias).filter(node_id=self.pk).aggregate(most=Max("version"))
        mine = Node.objects.using(self._alias).filter(pk=self.pk).values_list("record_version", flat=True).first()
        return max(mine or 0, slots["most"] or 0)

    def delete_left_slots(self) -> None:
        """Delete what no daemon has taken over of the slots that the one before this has left."""
        version = self.rows.values_list("record_version", flat=True).first()
        if version and not self.is_outpaced:
            slots = Slot.objects.using(self._alias).filter(node_id=self.pk)
            slots.filter(version__lt=first_of_life(version)).delete()

    def write_pulse(self) -> None:
        """Write that the ledger reaches the database now; make the row again where it was deleted.

        Where another life has taken the row, this one is displaced.
        """
        if not self._write_pulse() and not self.is_displaced:
            self._pk = None
            self._write_pulse()

    def _write_pulse(self) -> int:
        return self.rows.update(pulse=DatabaseNow(), labels=self._labels)

    def write_cannot(self, text: str) -> None:
        """Write which jobs the node cannot run, where that is not in the row yet. Raises the database's errors."""
        rows = self.rows
        if text != self._cannot and rows.update(cannot=text):
            self._cannot = text

    def leave(self) -> None:
        """Leave the row to whoever comes next. Raises the database's errors."""
        if self._pk is not None:
            leave(self._alias, self._pk, self._who)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the newest of the node's records, if it is newer than the row."""
        newest = max(entries, key=lambda entry: entry.version)
        row = newest.row or {}
        values = {
            column.name: clean_for(column, row[column.name])
            for column in Node._meta.concrete_fields
            if column.name in _REPORTED and column.name in row
        }
        mine = self.rows
        found = mine.values_list("record_version", "started").first()
        if found is None:
            return  # the next pulse finds out why
        version, started = found
        self.is_outpaced = newest.version <= version and values.get("started") != started
        if newest.version <= version:
            return
        if values.get("started") != started:
            left = Slot.objects.using(self._alias).filter(node_id=self.pk, version__lt=newest.version)
            left.filter(Q(due_rule="") | Q(due_rule=None)).delete()
        mine.update(**values, record_version=newest.version)
