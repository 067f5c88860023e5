"""The table of runs over time: what an earlier life of the daemon left open is marked lost, what is old is pruned."""

import time
from datetime import timedelta

from django.db.models import Case, F, Value, When
from django.db.models.functions import Now

from workerd.models import Node, Run
from workerd.wire.epochs import first_of_life
from workerd.wire.words import Outcome

from .node import NodeRow

PRUNE_SECONDS = 60.0
PRUNE_ROWS = 500
"""Deleted at once; what is left of a backlog follows a second later, so that no lock is held for long."""
BACKLOG_SECONDS = 1.0


class RunHistory:
    """Runs of one node, on one alias."""

    def __init__(self, alias: str, node: NodeRow, retention_s: float) -> None:
        self._alias = alias
        self._node = node
        self._retention = timedelta(seconds=retention_s)
        self._lost_are_marked = False
        self._prune_at = 0.0

    def tend(self, *, drained: bool) -> None:
        """Do what is due; ``drained`` says that the journal holds nothing that would still end a run."""
        if drained and not self._lost_are_marked:
            self._mark_lost()
        if time.monotonic() >= self._prune_at:
            pruned = self._prune()
            self._prune_at = time.monotonic() + (BACKLOG_SECONDS if pruned == PRUNE_ROWS else PRUNE_SECONDS)

    def _mark_lost(self) -> None:
        """End, at the last pulse of that life (or their birth after it), what a daemon that is gone gave no end to.

        Their version stays: an end that turns up in a journal after all is newer, and says better what became of them.
        """
        node = Node.objects.using(self._alias).filter(pk=self._node.pk)
        version = node.values_list("record_version", flat=True).first()
        if not version:
            return  # this life has not said anything yet
        runs = Run.objects.using(self._alias).filter(node_id=self._node.pk, ended=None)
        pulse = self._node.last_pulse
        ended = Case(When(born__lt=pulse, then=Value(pulse)), default=F("born")) if pulse is not None else Now()
        runs.filter(version__lt=first_of_life(version)).update(outcome=Outcome.LOST.value, ended=ended)
        self._lost_are_marked = True

    def _prune(self) -> int:
        """Delete a batch of what ended before the retention; return how many."""
        runs = Run.objects.using(self._alias)
        old = list(
            runs.filter(ended__lt=Now() - self._retention).order_by("ended").values_list("pk", flat=True)[:PRUNE_ROWS]
        )
        if old:
            runs.filter(pk__in=old).delete()
        return len(old)
