"""The table of runs over time: runs that an earlier life of the daemon left open are marked lost, old ones deleted."""

import time
from datetime import timedelta
from typing import Any

from django.db.models import Q

from workerd.models import Run
from workerd.models.clock import DatabaseNow, read_now
from workerd.wire.epochs import first_of_life

from .fleet_size import FleetSize
from .gone_nodes import GONE_AFTER, GoneNodes
from .lost_runs import end_as_lost
from .node import NodeRow

PRUNE_SECONDS = 60.0
PRUNE_ROWS = 500
"""Deleted in one statement, so that no lock is held for long; if more are due, they follow a second later."""
BACKLOG_SECONDS = 1.0
OVERDUE_SECONDS = 10.0
"""The lateness that comes of waiting for the database: all nodes have it, and would prune at once when that is back."""


class RunHistory:
    """The runs of one node."""

    def __init__(self, alias: str, node: NodeRow, retention_s: float, size: FleetSize | None = None) -> None:
        self._alias = alias
        self._node = node
        self._retention = timedelta(seconds=retention_s)
        self._gone_nodes = GoneNodes(alias, node, self._retention)
        self._size = size or FleetSize()
        self._lost_are_marked = False
        self._mark_at = self._prune_at = 0.0

    def tend(self, *, drained: bool) -> None:
        """Do what is due; ``drained`` means that no record in the journal can still end a run."""
        if drained and not self._lost_are_marked and time.monotonic() >= self._mark_at:
            self._mark_lost()
        if self._is_time_to_prune():
            if self._prune_at and self._lost_are_marked:
                self._node.delete_left_slots()
            self._gone_nodes.tend()
            pruned = self._prune()
            pause = self._size.varied(PRUNE_SECONDS) if self._prune_at else self._size.within(PRUNE_SECONDS)
            self._prune_at = time.monotonic() + (BACKLOG_SECONDS if pruned == PRUNE_ROWS else pause)

    def _is_time_to_prune(self) -> bool:
        """Return whether it is; where all nodes have waited for the database, each has a time of its own again."""
        now = time.monotonic()
        if self._prune_at and self._size.nodes > 1 and now - self._prune_at > OVERDUE_SECONDS:
            self._prune_at = now + self._size.within(PRUNE_SECONDS)
        return now >= self._prune_at

    def _mark_lost(self) -> None:
        """Mark as lost the runs that an earlier life of this daemon began and did not end, at its last pulse.

        Where that life was displaced and may still run, its runs count as those of a silent node do.
        """
        found = self._node.rows.values_list("record_version", "contested").first()
        if found is None or self._node.is_outpaced or found[0] <= self._node.reserved:
            return  # no record of this life is written yet
        version, contested = found
        if contested is not None and read_now(self._alias) - contested < GONE_AFTER:
            self._mark_at = time.monotonic() + PRUNE_SECONDS
            return
        runs = Run.objects.using(self._alias).filter(node_id=self._node.pk, ended=None)
        pulse = self._node.last_pulse if self._node.reserved else contested or self._node.last_pulse
        end_as_lost(runs.filter(version__lt=first_of_life(version)), pulse)
        if contested is not None:
            self._node.rows.update(contested=None)
        self._lost_are_marked = True

    def _prune(self) -> int:
        """Delete a batch of the runs whose end was written down longer than the retention ago; return how many.

        The daemon's clock may have been wrong at that end, so ``ended`` counts only where a release wrote the row that
        did not note when.
        """
        runs = Run.objects.using(self._alias)
        limit = DatabaseNow() - self._retention
        old: list[Any] = []
        for due, order in (
            (Q(recorded__lt=limit, ended__isnull=False), "recorded"),
            (Q(recorded=None, ended__lt=limit), "ended"),
        ):
            old += runs.filter(due).order_by(order).values_list("pk", flat=True)[: PRUNE_ROWS - len(old)]
        if old:
            runs.filter(pk__in=old).delete()
        return len(old)
