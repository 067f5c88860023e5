"""Counts the living nodes from time to time, for whatever they do at the same time."""

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE

from .fleet_size import FleetSize

COUNT_SECONDS = 60.0


class LivingNodes:
    """Keeps a FleetSize in step with the nodes' pulses."""

    def __init__(self, alias: str, fleet: FleetSize) -> None:
        self._alias = alias
        self._fleet = fleet
        self._count_at = 0.0

    def count(self, now: float) -> None:
        """Count the nodes anew where the count is a minute old. Raises the database's errors."""
        if now >= self._count_at:
            living = Node.objects.using(self._alias).filter(pulse__gt=DatabaseNow() - LATE)
            self._fleet.nodes = max(1, living.count())
            self._count_at = now + self._fleet.varied(COUNT_SECONDS)
