"""The statements that change who holds a seat: each is a compare and set of one row.

An error of the database leaves open whether the change was made; the next renewal's answer tells.
"""

import time
import uuid

from django.db.models import Exists, F, OuterRef, QuerySet

from workerd.models import Job, Seat
from workerd.models.clock import DatabaseNow
from workerd.push import CHANNEL, SEATS
from workerd.wire.lease import next_token
from workerd.wire.rollout_seat import ROLLOUT_JOB
from workerd.wire.words import Scope

from .place import Me, SeatSeen
from .server import Server
from .session import Session
from .window import Place


def claim(session: Session, seat: SeatSeen, server: str, me: Me, takeover_ms: int) -> int | None:
    """Take a seat that still is as it was seen, at the same server; return the new token, None where it is not.

    Raises the database's errors.
    """
    token = next_token(seat.token, int(time.time() * 1000))
    job_id, index = seat.place
    moved = seat.token and seat.node_id != me.node_id
    with session.transaction():
        taken = (
            Seat.objects.using(session.alias)
            .annotate(server=Server())
            .filter(server=server, job_id=job_id, index=index, token=seat.token, beat=seat.beat, stopped_by="")
            .update(
                node_id=me.node_id,
                life=me.life,
                token=token,
                beat=F("beat") + 1,
                takeover_ms=takeover_ms,
                renewed=DatabaseNow(),
                since=DatabaseNow(),
                moves=F("moves") + int(bool(moved)),
            )
        )
    return token if taken else None


def release(session: Session, place: Place, token: int, life: uuid.UUID | None) -> None:
    """Give a seat up, or delete its row where no fleet job wants it any more. Raises the database's errors."""
    job_id, index = place
    with session.transaction():
        seats = Seat.objects.using(session.alias).filter(job_id=job_id, index=index, token=token, life=life)
        if not _unwanted(session, seats).delete()[0]:
            seats.update(life=None, node_id=None, beat=F("beat") + 1)
        _wake_others(session)


def _wake_others(session: Session) -> None:
    """Have the other ledgers look at once, where the database can wake them; it does so at the COMMIT."""
    if session.connection.vendor == "postgresql":
        with session.connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}, '{SEATS}'")


def delete_unwanted(session: Session, places: list[Place]) -> None:
    """Delete those of the places that are free and that no fleet job wants: its row was deleted, or has fewer now."""
    with session.transaction():
        for job_id, index in places:
            free = Seat.objects.using(session.alias).filter(job_id=job_id, index=index, life=None)
            _unwanted(session, free).delete()


def make(session: Session, missing: dict[Place, int]) -> None:
    """Make the rows of missing seats, free; ``missing`` has their milliseconds. Another ledger may be quicker."""
    rows = [Seat(job_id=job_id, index=index, takeover_ms=ms) for (job_id, index), ms in sorted(missing.items())]
    with session.transaction():
        Seat.objects.using(session.alias).bulk_create(rows, ignore_conflicts=True, batch_size=100)


def _unwanted(session: Session, seats: QuerySet[Seat]) -> QuerySet[Seat]:
    jobs = Job.objects.using(session.alias).filter(
        pk=OuterRef("job_id"), scope=Scope.FLEET.value, processes__gt=OuterRef("index")
    )
    return seats.exclude(job_id=ROLLOUT_JOB).filter(~Exists(jobs))
