"""The nodes that have not left and are not heard of any more, as this node's daemon is told of them."""

from collections.abc import Callable
from datetime import timedelta

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.wire.messages import Message, NodesSilent

from .fleet_size import FleetSize

LOOK_SECONDS = 10.0
SILENT_AFTER = timedelta(seconds=30)
"""Six pulses. A node that waits for its database is silent as well: who can tell it from one that has died?"""
GONE_AFTER = timedelta(days=1)
"""One that is silent for longer, such as a recreated container with another host name, is not told of any more."""
MOST_TOLD = 100


class SilentNodes:
    """Looks from time to time, and tells what has changed."""

    def __init__(self, alias: str, send: Callable[[Message], None], size: FleetSize) -> None:
        self._alias = alias
        self._send = send
        self._size = size
        self._look_at = 0.0
        self._told: list[str] | None = None

    def look(self, now: float) -> None:
        """Look where it is time to, at ``now`` (monotonic seconds). Raises the database's errors."""
        if now < self._look_at:
            return
        self._look_at = now + self._size.stretched(self._size.varied(LOOK_SECONDS))
        nodes = Node.objects.using(self._alias).exclude(life=None)  # one that ends in order has no life
        late = nodes.filter(pulse__lt=DatabaseNow() - SILENT_AFTER, pulse__gt=DatabaseNow() - GONE_AFTER)
        found = [f"{name}@{host}" for name, host in late.order_by("pk").values_list("name", "host")[:MOST_TOLD]]
        if found != self._told:
            self._told = found
            self._send(NodesSilent(found))
