"""What a scheduled seat remembers: written by its holder's token alone, read by the next holder."""

import uuid
from collections.abc import Iterator

import pytest

from workerd.ledger.seats.memory import note, remember
from workerd.ledger.seats.session import Session
from workerd.models import Job, Seat
from workerd.wire.messages import SeatNoted, SeatRemembered, SeatSettled

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql"),
]

LIFE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
MOMENT = 1_700_000_040.0
RULE = "every 1 min · UTC · 0"


@pytest.fixture
def seat() -> Seat:
    job = Job.objects.create(
        name="report", target="shop.jobs.report", scope="fleet", schedule="every 1 min", restart="never"
    )
    return Seat.objects.create(job=job, index=0, token=7, life=LIFE, takeover_ms=30_000)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session("default", 5.0)
    yield session
    session.close()


def settled(seat: Seat, token: int = 7) -> SeatSettled:
    return SeatSettled(seat.job_id, 0, token, RULE, MOMENT, MOMENT, None)


def test_what_the_holder_notes_is_read_by_the_next_one(seat: Seat, session: Session) -> None:
    assert note(session, settled(seat), LIFE) == SeatNoted(seat.job_id, 0, 7, MOMENT)
    Seat.objects.update(token=8, life=OTHER)
    assert remember(session, (seat.job_id, 0), 8) == SeatRemembered(seat.job_id, 0, 8, RULE, MOMENT, MOMENT, None)


@pytest.mark.parametrize("change", [{"token": 8}, {"life": OTHER}, {"life": None}])
def test_nothing_is_noted_for_a_seat_that_is_another_holding_now(
    seat: Seat, session: Session, change: dict[str, object]
) -> None:
    Seat.objects.update(**change)

    assert note(session, settled(seat), LIFE) is None
    assert Seat.objects.get().settled_until is None
