"""The node's own row: found or made by name and host, its pulse by the database's clock.

A node record whose ``started`` is new means that a new daemon runs here: whatever slots its predecessor left are
deleted, by version, so that those it has reported meanwhile stay. Versions must grow over the lives of daemons too.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now

from workerd.models import Node, Slot

from .journal import Entry
from .sanitize import clean_for, clean_text

_REPORTED = ("daemon_pid", "workerd_version", "generation", "started")


class NodeRow:
    """One row of ``Node`` on one alias."""

    def __init__(self, alias: str, name: str, host: str) -> None:
        self._alias = alias
        self._name = clean_text(name, Node._meta.get_field("name").max_length)
        self._host = clean_text(host, Node._meta.get_field("host").max_length)
        self._pk: int | None = None
        self.last_pulse: datetime | None = None
        """The pulse that was there when this ledger began."""

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """The ledger's connection."""
        return connections[self._alias]

    @property
    def label(self) -> str:
        """What people call the node."""
        return f"{self._name}@{self._host}"

    @property
    def pk(self) -> int:
        """The row's key."""
        return self.find()

    def find(self) -> int:
        """Return the row's key; the row is made when it is not there yet. Raises the database's errors."""
        if self._pk is None:
            node, _ = Node.objects.using(self._alias).get_or_create(name=self._name, host=self._host)
            self._pk, self.last_pulse = node.pk, node.pulse
        return self._pk

    def write_pulse(self) -> None:
        """Say that the ledger reaches the database now; a row that was deleted is made again."""
        rows = Node.objects.using(self._alias)
        if not rows.filter(pk=self.pk).update(pulse=Now()):
            self._pk = None
            rows.filter(pk=self.pk).update(pulse=Now())

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the newest of the node's records where it is newer than the row, or of another daemon's life."""
        newest = max(entries, key=lambda entry: entry.version)
        row = newest.row or {}
        values = {
            column.name: clean_for(column, row[column.name])
            for column in Node._meta.concrete_fields
            if column.name in _REPORTED and column.name in row
        }
        mine = Node.objects.using(self._alias).filter(pk=self.pk)
        version, started = mine.values_list("record_version", "started").first() or (0, None)
        if newest.version <= version:
            return
        if values.get("started") != started:
            Slot.objects.using(self._alias).filter(node_id=self.pk, version__lt=newest.version).delete()
        mine.update(**values, record_version=newest.version)
