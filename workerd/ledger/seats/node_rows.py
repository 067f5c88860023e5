"""The rows of all nodes, read where it matters which of them may take a seat."""

from collections.abc import Mapping
from typing import Any

from django.db.models import BooleanField, Case, Value, When

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE

from .place import NodeSeen
from .session import Session

_COLUMNS = ("pk", "name", "host", "life", "beat", "labels", "draining", "cannot", "recent", "server")


def read_nodes(session: Session) -> Mapping[int, NodeSeen]:
    """Return all nodes by their keys. Raises the database's errors."""
    with session.transaction():
        nodes = Node.objects.using(session.alias).order_by().annotate(recent=_recent())
        rows = list(nodes.values_list(*_COLUMNS))
    return {pk: _node(*values) for pk, *values in rows}


def _node(*values: Any) -> NodeSeen:
    name, host, life, beat, labels, draining, cannot, recent, server = values
    label = f"{name}@{host}"
    return NodeSeen(label, life, beat or 0, labels or "{}", bool(draining), cannot or "{}", bool(recent), server or "")


def _recent() -> Case:
    return Case(
        When(pulse__gt=DatabaseNow() - LATE, then=Value(value=True)),
        default=Value(value=False),
        output_field=BooleanField(),
    )
