"""A second daemon on the same rows: same NAME, host and database, but another STATE_DIR, so that no lock parts them.

Each of the two sees by the other's pulse that it is not alone.
"""

import os
from datetime import datetime

from django.db.models import QuerySet

from workerd.models import Node

from .node import NodeRow

SURE = 2
"""One foreign pulse may be the last one of a ledger that was replaced; so many in a row are another daemon's."""


class Twin:
    """Looks, before each pulse, whether the pulse in the row is the one that this ledger wrote."""

    def __init__(self, alias: str, node: NodeRow) -> None:
        self._alias = alias
        self._node = node
        self._daemon_pid = os.getppid()
        self._written: datetime | None = None
        self._others_pid: int | None = None
        self._seen = 0
        self.reason = ""
        """A sentence on who else writes the rows, and what to do; "" while nobody does."""

    def look(self) -> bool:
        """Return whether ``reason`` is another one now."""
        found = self._row().values_list("pulse", "daemon_pid").first()
        if found is None:
            return False
        pulse, pid = found
        if pid != self._daemon_pid:  # of the two the younger one's stands in the row
            self._others_pid = pid
        if self._written is None:
            return False
        self._seen = min(self._seen + 1, SURE) if pulse != self._written else max(self._seen - 1, 0)
        was = self.reason
        if self._seen == SURE:
            self.reason = self._describe()
        elif self._seen == 0:
            self.reason = ""
        return self.reason != was

    def note_pulse(self) -> None:
        """Remember the pulse that this ledger has just written."""
        self._written = self._row().values_list("pulse", flat=True).first()

    def _row(self) -> QuerySet[Node]:
        return Node.objects.using(self._alias).filter(pk=self._node.pk)

    def _describe(self) -> str:
        pid = f" (pid {self._others_pid})" if self._others_pid else ""
        return (
            f"another daemon{pid} writes the rows of {self._node.label}, too, from another STATE_DIR: every job runs "
            "twice. Stop one of them, or give one another WORKERD['NAME']"
        )
