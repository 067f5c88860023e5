"""The seat without a job in the database: nodes without fleet jobs hold it in turn, and leave word for the next."""

from collections.abc import Callable

import pytest

from workerd.fleet.holders import count_held, names_held
from workerd.fleet.picture import read_fleet
from workerd.ledger.seats.claims import delete_unwanted
from workerd.ledger.seats.session import Session
from workerd.models import Seat
from workerd.wire.messages import (
    Draining,
    RolloutWanted,
    SeatNoted,
    SeatReleased,
    SeatRemembered,
    SeatSettled,
    SeatsHeld,
)
from workerd.wire.rollout_seat import ROLLOUT, ROLLOUT_JOB

from .test_seat_keeper import Ledger, start

__all__ = ["start"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def ask(ledger: Ledger) -> None:
    ledger.want()
    ledger.fleet.hear(RolloutWanted(True))


def token_of(ledger: Ledger) -> int:
    """Return the token with which the ledger has told that its node has the seat, 0 where it has not."""
    told = [seat for message in ledger.heard(SeatsHeld) for seat in message.seats if (seat[0], seat[1]) == ROLLOUT]
    return int(told[-1][2]) if told else 0


def leave(ledger: Ledger) -> None:
    ledger.fleet.hear(RolloutWanted(False))
    ledger.fleet.hear(SeatReleased(*ROLLOUT, token_of(ledger)))


def test_a_node_without_fleet_jobs_holds_it_and_pays_nothing_before_and_after(start: Callable[..., Ledger]) -> None:
    us = start()
    us.want()
    assert not us.runs()
    ask(us)
    us.eventually(lambda: token_of(us), "the seat")
    us.eventually(lambda: Seat.objects.get().beat > 2, "a renewal")
    leave(us)
    us.eventually(lambda: not us.runs(), "the keeper's end")
    [seat] = Seat.objects.all()

    assert (seat.job_id, seat.life, seat.token) == (ROLLOUT_JOB, None, token_of(us)), "the row stays, for its memory"


def test_a_second_node_waits_hears_who_has_it_and_what_he_has_left(start: Callable[..., Ledger]) -> None:
    us, them = start("us"), start("them")
    ask(us)
    us.eventually(lambda: token_of(us), "the seat")
    us.fleet.hear(SeatSettled(*ROLLOUT, token_of(us), "us has not brought its reload to an end", None, 5.5, None))
    us.eventually(lambda: us.heard(SeatNoted), "the note")
    ask(them)
    them.eventually(lambda: "another node has it: shop@us" in them.reasons().values(), "the word")
    assert token_of(them) == 0
    leave(us)
    us.eventually(lambda: not us.runs(), "the release")
    them.eventually(lambda: token_of(them), "the seat")
    [left] = them.heard(SeatRemembered)

    assert (left.rule, left.due, left.token) == ("us has not brought its reload to an end", 5.5, token_of(them))
    assert token_of(them) > token_of(us)


def test_a_drained_node_gets_it(start: Callable[..., Ledger]) -> None:
    us = start()
    us.fleet.hear(Draining(draining=True))
    ask(us)

    us.eventually(lambda: token_of(us), "the seat")


def test_it_is_no_seat_of_a_job_for_those_who_count_them(start: Callable[..., Ledger]) -> None:
    us = start()
    ask(us)
    us.eventually(lambda: token_of(us), "the seat")

    assert (count_held("default")[us.row.pk], names_held(us.row, "default")) == (0, [])
    assert read_fleet("default").places == ()
    leave(us)


def test_it_is_not_swept_away_as_a_seat_that_no_job_wants() -> None:
    Seat.objects.create(job_id=ROLLOUT_JOB, index=0, takeover_ms=30_000)
    session = Session("default", 5.0)
    delete_unwanted(session, [ROLLOUT])
    session.close()

    assert Seat.objects.count() == 1
