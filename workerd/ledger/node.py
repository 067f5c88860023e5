"""The node's own row: found by name and host, or made; its pulse is written by the database's clock.

A record of the node with a new ``started`` means that a new daemon runs. The slots that the one before it left are
deleted then: those with an older version, so that slots which the new daemon has reported meanwhile stay.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max

from workerd.models import Node, Slot
from workerd.models.clock import DatabaseNow

from .entry import Entry
from .sanitize import clean_for, clean_text

_REPORTED = ("daemon_pid", "workerd_version", "generation", "started")


class NodeRow:
    """The row of this daemon's node."""

    def __init__(self, alias: str, name: str, host: str) -> None:
        self._alias = alias
        self._name = clean_text(name, Node._meta.get_field("name").max_length)
        self._host = clean_text(host, Node._meta.get_field("host").max_length)
        self._pk: int | None = None
        self.last_pulse: datetime | None = None
        """The pulse that the row had when this ledger began."""
        self.is_outpaced = False
        """Whether the row is another life's, and newer by its version: this life's daemon is to make newer ones."""

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self._alias]

    @property
    def label(self) -> str:
        return f"{self._name}@{self._host}"

    @property
    def pk(self) -> int:
        return self.find()

    def find(self) -> int:
        """Return the row's primary key; make the row where there is none yet. Raises the database's errors."""
        if self._pk is None:
            node, _ = Node.objects.using(self._alias).get_or_create(name=self._name, host=self._host)
            self._pk, self.last_pulse = node.pk, node.pulse
        return self._pk

    def highest_version(self) -> int:
        """Return the largest version of the node's own row and of its slots. Raises the database's errors."""
        slots = Slot.objects.using(self._alias).filter(node_id=self.pk).aggregate(most=Max("version"))
        mine = Node.objects.using(self._alias).filter(pk=self.pk).values_list("record_version", flat=True).first()
        return max(mine or 0, slots["most"] or 0)

    def write_pulse(self) -> None:
        """Write that the ledger reaches the database now; make the row again where it was deleted."""
        rows = Node.objects.using(self._alias)
        if not rows.filter(pk=self.pk).update(pulse=DatabaseNow()):
            self._pk = None
            rows.filter(pk=self.pk).update(pulse=DatabaseNow())

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the newest of the node's records, if it is newer than the row."""
        newest = max(entries, key=lambda entry: entry.version)
        row = newest.row or {}
        values = {
            column.name: clean_for(column, row[column.name])
            for column in Node._meta.concrete_fields
            if column.name in _REPORTED and column.name in row
        }
        mine = Node.objects.using(self._alias).filter(pk=self.pk)
        version, started = mine.values_list("record_version", "started").first() or (0, None)
        self.is_outpaced = newest.version <= version and values.get("started") != started
        if newest.version <= version:
            return
        if values.get("started") != started:
            Slot.objects.using(self._alias).filter(node_id=self.pk, version__lt=newest.version).delete()
        mine.update(**values, record_version=newest.version)
