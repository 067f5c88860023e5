"""The NOTIFY of a release: it names the seat and who has given it up, so that only who may take it looks at once."""

from typing import NamedTuple

from workerd.push import CHANNEL, SEATS

from .session import Session
from .window import Place


class GivenUp(NamedTuple):
    """A seat that is free now, as a NOTIFY tells of it."""

    place: Place
    node_id: int | None
    """The node that had it."""


def wake_others(session: Session, given_up: GivenUp) -> None:
    """Tell the other ledgers, where the database can wake them; it does so at the COMMIT."""
    if session.connection.vendor == "postgresql":
        (job_id, index), node_id = given_up
        with session.connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}, '{SEATS} {job_id} {index} {node_id or 0}'")


def read_payload(payload: str) -> GivenUp | None:
    """Return what a NOTIFY tells of a seat; None where it does not say which."""
    try:
        job_id, index, node_id = map(int, payload.removeprefix(SEATS).split())
    except ValueError:
        return None
    return GivenUp((job_id, index), node_id or None)
