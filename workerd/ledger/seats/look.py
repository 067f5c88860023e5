"""The look: how all seats and nodes stand, and which server says so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, Case, Value, When

from workerd.models import Node, Seat
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE
from workerd.wire.lease import boot_time

from .place import NodeSeen, SeatSeen
from .server import Server
from .session import Session
from .window import Place


class Look(NamedTuple):
    """All seats and nodes, as they were read between two boot-time seconds."""

    server: str
    """Tells the server from another one, and from itself before a restart or a promotion; "" where none was asked."""
    began: float
    ended: float
    seats: dict[Place, SeatSeen]
    nodes: dict[int, NodeSeen]


_SEAT = ("job_id", "index", "node_id", "life", "token", "beat", "takeover_ms", "stopped_by", "since", "now", "server")
_NODE = ("pk", "name", "host", "life", "beat", "labels", "draining", "cannot", "recent")


def look(session: Session) -> Look:
    """Read all seats, in one statement with the server's identity, and all nodes. Raises the database's errors."""
    began = boot_time()
    with session.transaction():
        seats = Seat.objects.using(session.alias).order_by().annotate(now=DatabaseNow(), server=Server())
        rows = list(seats.values_list(*_SEAT))
        ended = boot_time()
        nodes = Node.objects.using(session.alias).order_by().annotate(recent=_recent()).values_list(*_NODE)
        seen = {pk: _node(values) for pk, *values in nodes}
    server = rows[0][-1] if rows else ""
    return Look(server, began, ended, {seat.place: seat for seat in map(_seat, rows)}, seen)


def _seat(row: tuple[Any, ...]) -> SeatSeen:
    job_id, index, node_id, life, token, beat, takeover_ms, stopped_by, since, now, _ = row
    return SeatSeen((job_id, index), node_id, life, token, beat, takeover_ms, stopped_by, _age(since, now))


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0


def _node(row: Sequence[Any]) -> NodeSeen:
    name, host, life, beat, labels, draining, cannot, recent = row
    return NodeSeen(f"{name}@{host}", life, beat or 0, labels or "{}", bool(draining), cannot or "{}", bool(recent))


def _recent() -> Case:
    return Case(
        When(pulse__gt=DatabaseNow() - LATE, then=Value(value=True)),
        default=Value(value=False),
        output_field=BooleanField(),
    )
