"""The renewal: one transaction whose answer alone says which seats this life holds, counted from its sending."""

import uuid
from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from workerd.errors import WorkerdError
from workerd.models import Node, Seat
from workerd.models.clock import DatabaseNow

from .place import Held, Me
from .server import Server
from .session import Session
from .window import Place

_COLUMNS = ("job_id", "index", "token", "takeover_ms", "stopped_by", "server")


class DisplacedError(WorkerdError):
    """Another life has taken over the node's row."""

    def __init__(self, life: uuid.UUID) -> None:
        self.life = life
        super().__init__(
            "another daemon has taken over this node's row: it has its NAME and host, or a copy of its STATE_DIR. Give "
            "one of them another WORKERD['NAME'], host name or STATE_DIR"
        )


class UnregisteredError(WorkerdError):
    """The node's row is gone, or nobody's; the ledger makes it this life's again."""


class OwnRow(NamedTuple):
    """The columns by which the node's row tells the other nodes of this one."""

    labels: str
    draining: bool
    cannot: str | None = None
    """None leaves the column as it is."""
    server: str | None = None
    """The server that this node believes; None leaves the column as it is."""


class Renewed(NamedTuple):
    """The seats that are this life's by their rows, and the server that says so; "" where there is none."""

    held: list[Held]
    server: str = ""


def renew(session: Session, me: Me, own: OwnRow, takeovers: Mapping[Place, int]) -> Renewed:
    """Count up all seats of this life, and return them. ``takeovers`` are milliseconds to write instead of a seat's.

    Raises DisplacedError, UnregisteredError, and the database's errors, after which nothing is known.
    """
    with session.transaction():
        _beat(session, me, own)
        mine = Seat.objects.using(session.alias).filter(life=me.life)
        mine.update(node_id=me.node_id, beat=F("beat") + 1, renewed=DatabaseNow())
        for (job_id, index), takeover_ms in takeovers.items():
            mine.filter(job_id=job_id, index=index).update(takeover_ms=takeover_ms)
        rows = list(mine.order_by().annotate(server=Server()).values_list(*_COLUMNS))
    held = [Held((job_id, index), token, ms, stopped_by) for job_id, index, token, ms, stopped_by, _ in rows]
    return Renewed(held, rows[0][-1] if rows else "")


def read_believed(session: Session, me: Me) -> str:
    """Return the server that this node's row says it believes; "" where it has not said."""
    with session.transaction():
        server = Node.objects.using(session.alias).filter(pk=me.node_id).values_list("server", flat=True).first()
    return server or ""


def write_draining(session: Session, me: Me, *, draining: bool) -> None:
    """Say at once that this node takes no seats, or takes them again: the others look as soon as one is released."""
    with session.transaction():
        Node.objects.using(session.alias).filter(pk=me.node_id, life=me.life).update(draining=draining)


def _beat(session: Session, me: Me, own: OwnRow) -> None:
    """Write the node's own row first: whoever else is to write it waits, and nobody's renewal outlives his row."""
    nodes = Node.objects.using(session.alias).filter(pk=me.node_id)
    values = {name: value for name, value in own._asdict().items() if value is not None}
    if nodes.filter(life=me.life).update(beat=Coalesce("beat", Value(0)) + 1, **values):
        return
    if life := nodes.values_list("life", flat=True).first():
        raise DisplacedError(life)
    raise UnregisteredError
