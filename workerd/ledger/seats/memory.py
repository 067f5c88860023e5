"""The memory of a scheduled seat, its due moments: read for a new holder, written for the present one."""

import uuid

from workerd.models import Seat
from workerd.wire.messages import SeatNoted, SeatRemembered, SeatSettled

from .session import Session
from .window import Place

COLUMNS = ("due_rule", "settled_until", "due", "last_success")


def remember(session: Session, place: Place, token: int) -> SeatRemembered:
    """Return what the holder before has left. Raises the database's errors."""
    job_id, index = place
    seats = Seat.objects.using(session.alias).filter(job_id=job_id, index=index, token=token)
    with session.transaction():
        rule, *moments = seats.values_list(*COLUMNS).first() or ("", None, None, None)
    return SeatRemembered(job_id, index, token, rule, *moments)


def note(session: Session, settled: SeatSettled, life: uuid.UUID) -> SeatNoted | None:
    """Write what became of the seat's due moments; None where the seat is another holding's by now.

    Raises the database's errors, after which the same is to be written again.
    """
    seats = Seat.objects.using(session.alias).filter(
        job_id=settled.job_id, index=settled.index, token=settled.token, life=life
    )
    values = settled.rule, settled.settled, settled.due, settled.last_success
    with session.transaction():
        is_ours = seats.update(**dict(zip(COLUMNS, values, strict=True)))
    return SeatNoted(settled.job_id, settled.index, settled.token, settled.settled) if is_ours else None
