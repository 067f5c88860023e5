"""The look: how all seats stand, and which server says so."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q

from workerd.models import Seat
from workerd.models.clock import DatabaseNow
from workerd.wire.lease import boot_time

from .known import Known, Short, one_server
from .place import SeatSeen
from .server import Server
from .session import Session
from .window import Place

FULL_S = 60.0
"""The age that may have what a window does not need: who has stopped a seat, since when somebody has it."""
FEW = 100
"""The most changed seats that are read by their keys; of more, all are read."""


class Look(NamedTuple):
    """All seats and nodes, as they were read between two boot-time seconds."""

    server: str
    """Tells the server from another one, and from itself before a restart or a promotion; "" where none was asked."""
    began: float
    ended: float
    seats: dict[Place, SeatSeen]


_WHOLE = ("pk", "job_id", "index", "node_id", "life", "token", "beat", "takeover_ms", "stopped_by", "since", "now")


class Looks:
    """Reads of every seat, each time, what tells whether its holder lives; the rest where that has changed.

    No time of the database's takes part: a seat that looked well by its clock would have its window begin late.
    """

    def __init__(self) -> None:
        self._known = Known()
        self._full_at = 0.0

    def look(self, session: Session) -> Look:
        """Look at all seats. Raises the database's errors."""
        began = boot_time()
        with session.transaction():
            names = self._look_whole(session, began) if began >= self._full_at else self._look(session, began)
            ended = boot_time()
        return Look(one_server(names), began, ended, self._known.seats)

    def _look_whole(self, session: Session, began: float) -> set[str]:
        """Read everything; return which server has answered."""
        names, seats = _whole(session)
        self._known.take_all(seats, began)
        self._full_at = began + FULL_S
        return names

    def _look(self, session: Session, began: float) -> set[str]:
        """Read what a window compares, and what has changed; return which servers have answered."""
        names, rows = _short(session)
        if changed := self._known.look(rows, began):
            others, seats = _whole(session, changed if len(changed) <= FEW else None)
            self._known.take({pk: seat for pk, seat in seats.items() if pk in changed})
            names |= others
        return names


def _short(session: Session) -> tuple[set[str], list[Short]]:
    """Read of every seat what a window compares, by one statement with the server's identity."""
    seats = Seat.objects.using(session.alias).order_by().annotate(server=Server())
    is_free = ExpressionWrapper(Q(life=None), output_field=BooleanField())
    is_stopped = ExpressionWrapper(~Q(stopped_by=""), output_field=BooleanField())
    rows = list(seats.annotate(is_free=is_free, is_stopped=is_stopped).values_list(*Short._fields, "server"))
    return {row[-1] for row in rows[:1]}, [Short(*row[:-1]) for row in rows]


def _whole(session: Session, keys: Collection[int] | None = None) -> tuple[set[str], dict[int, SeatSeen]]:
    """Read the seats, by default all, by one statement with the server's identity."""
    seats = Seat.objects.using(session.alias).order_by().annotate(now=DatabaseNow(), server=Server())
    if keys is not None:
        seats = seats.filter(pk__in=keys)
    rows = list(seats.values_list(*_WHOLE, "server"))
    return {row[-1] for row in rows[:1]}, {pk: _seat(*values) for pk, *values, _server in rows}


def _seat(*values: Any) -> SeatSeen:
    job_id, index, node_id, life, token, beat, takeover_ms, stopped_by, since, now = values
    return SeatSeen((job_id, index), node_id, life, token, beat, takeover_ms, stopped_by, _age(since, now))


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
