"""Decides whether a record of a run tells more than the row there: of a moment of the fleet two nodes may tell."""

from typing import NamedTuple

from .entry import Entry


class ToldRun(NamedTuple):
    """The row of a run, as far as it decides."""

    version: int
    node_id: int | None
    pid: int | None
    missed: int | None

    def yields_to(self, entry: Entry, node_id: int) -> bool:
        """Return whether the entry, of the node with this id, takes the row's place.

        A node's records follow one another by their versions, which say nothing of another node's. Of two nodes'
        records a run that began is the most, and one that is only noted ahead of its begin the least; of two that say
        what was missed the one with more moments is.
        """
        more, less = _weight(entry), (self.pid is not None, self.missed or 0)
        return entry.version > self.version if node_id == self.node_id or more == less else more > less


def _weight(entry: Entry) -> tuple[bool, int]:
    row = entry.row or {}
    missed = row.get("missed")
    return row.get("pid") is not None, missed if isinstance(missed, int) else 0
