"""The ledger tells the daemon up to when earlier lives of it have accounted for each scheduled slot's due moments."""

from collections.abc import Iterator
from typing import Any

from workerd.models import Slot
from workerd.wire.messages import SlotsRemembered

from .node import NodeRow
from .spool import Spool

AT_ONCE = 100
"""Slots in one message, which has a longest size."""


class SlotMemory:
    """The rows of the node's slots, and over them what the journal has not written yet."""

    def __init__(self, alias: str, node: NodeRow, spool: Spool) -> None:
        self._alias = alias
        self._node = node
        self._spool = spool

    def tell(self) -> Iterator[SlotsRemembered]:
        """Yield what the daemon has to know before any job. Raises the database's errors."""
        kept = {place: row for place, (_, row) in self._newest().items() if row is not None and row[2]}
        rows = list(kept.values())
        for start in range(0, len(rows), AT_ONCE):
            yield SlotsRemembered(rows[start : start + AT_ONCE])

    def _newest(self) -> dict[tuple[str, int], tuple[int, list[Any] | None]]:
        """Return by place the newest version and its row, None for a slot that is gone."""
        newest: dict[tuple[str, int], tuple[int, list[Any] | None]] = {}
        slots = Slot.objects.using(self._alias).filter(node_id=self._node.look() or 0).exclude(due_rule="")
        columns = ("job_name", "index", "version", "job_id", "due_rule", "settled_until", "due", "last_success")
        for name, index, version, job_id, rule, *moments in slots.values_list(*columns):
            newest[name, index] = version, [job_id, index, rule or "", *moments]
        for record in self._spool.slot_records():
            name, _, number = record.key.rpartition("\n")
            place = name, int(number)
            if record.version > newest.get(place, (-1, None))[0]:
                newest[place] = record.version, _told(record.row)
        return newest


def _told(row: dict[str, Any] | None) -> list[Any] | None:
    if row is None:
        return None
    moments = (row.get(column) for column in ("settled_until", "due", "last_success"))
    return [row.get("job_id"), row.get("index"), row.get("due_rule") or "", *moments]
