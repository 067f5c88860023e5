"""A seat, a node and this life, as plain values."""

import uuid
from typing import NamedTuple

from .window import Place


class Me(NamedTuple):
    """The life of this daemon, and the primary key of its node's row."""

    node_id: int
    life: uuid.UUID


class Held(NamedTuple):
    """A seat of this life, by its last confirmed renewal."""

    place: Place
    token: int
    takeover_ms: int
    stopped_by: str


class SeatSeen(NamedTuple):
    """The row of a seat, as a look has shown it."""

    place: Place
    node_id: int | None
    life: uuid.UUID | None
    token: int
    beat: int
    takeover_ms: int
    stopped_by: str
    held_s: float
    """How long its holder has had it, by the database's clock: for people."""

    @property
    def is_free(self) -> bool:
        return self.life is None


class NodeSeen(NamedTuple):
    """The row of a node, as a look has shown it."""

    label: str
    life: uuid.UUID | None
    beat: int
    labels: str
    """A JSON object, as it stands in the row."""
    draining: bool
    cannot: str
    """A JSON object, by job id why the node cannot run it, as it stands in the row."""
    is_recent: bool
    """Whether its last pulse is recent by the database's clock: a hint, until its beat is seen to move."""
    server: str = ""
    """The server of the database that the node believes; "" where it has not said."""
