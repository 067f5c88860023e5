"""The rows of all nodes, read where it matters which of them may take a seat."""

from collections.abc import Mapping

from django.db.models import BooleanField, Case, Value, When

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE

from .place import NodeSeen
from .session import Session

_COLUMNS = ("pk", "name", "host", "life", "beat", "labels", "draining", "cannot", "recent")


def read_nodes(session: Session) -> Mapping[int, NodeSeen]:
    """Return all nodes by their keys. Raises the database's errors."""
    with session.transaction():
        nodes = Node.objects.using(session.alias).order_by().annotate(recent=_recent())
        rows = list(nodes.values_list(*_COLUMNS))
    return {
        pk: NodeSeen(f"{name}@{host}", life, beat or 0, labels or "{}", bool(draining), cannot or "{}", bool(recent))
        for pk, name, host, life, beat, labels, draining, cannot, recent in rows
    }


def _recent() -> Case:
    return Case(
        When(pulse__gt=DatabaseNow() - LATE, then=Value(value=True)),
        default=Value(value=False),
        output_field=BooleanField(),
    )
