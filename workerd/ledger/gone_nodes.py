"""Nodes that are gone for good, such as recreated containers with other host names: what they left is tended here.

A node counts as gone by the database's clock alone. Should it only have been cut off, its next records are newer and
take the place of what was written here.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef

from workerd.models import Node, Run, Slot

from .lost_runs import end_as_lost
from .node import NodeRow

GONE_AFTER = timedelta(hours=1)
NODES_AT_ONCE = 20


class GoneNodes:
    """Ends the runs of silent nodes and deletes their slots, and later the nodes themselves."""

    def __init__(self, alias: str, node: NodeRow, retention: timedelta) -> None:
        self._alias = alias
        self._node = node
        self._retention = max(retention, GONE_AFTER)

    def tend(self) -> None:
        """Tend a few nodes; called from time to time. Our own pulse says what time it is."""
        nodes = Node.objects.using(self._alias)
        now = nodes.filter(pk=self._node.pk).values_list("pulse", flat=True).first()
        if now is None:
            return
        others = nodes.exclude(pk=self._node.pk)
        left_runs = Exists(Run.objects.using(self._alias).filter(node_id=OuterRef("pk"), ended=None))
        left_slots = Exists(Slot.objects.using(self._alias).filter(node_id=OuterRef("pk")))
        for node in list(others.filter(left_runs | left_slots, pulse__lt=now - GONE_AFTER)[:NODES_AT_ONCE]):
            self._end(node)
        # Nothing runs any more that the server of that time had and another one may have forgotten.
        others.filter(pulse__lt=now - GONE_AFTER).exclude(server=None).update(server=None)
        old = list(others.filter(pulse__lt=now - self._retention).values_list("pk", flat=True)[:NODES_AT_ONCE])
        if old:
            nodes.filter(pk__in=old).delete()

    def _end(self, node: Node) -> None:
        """End what the node was doing when it last reported."""
        end_as_lost(Run.objects.using(self._alias).filter(node_id=node.pk, ended=None), node.pulse)
        Slot.objects.using(self._alias).filter(node_id=node.pk).delete()
