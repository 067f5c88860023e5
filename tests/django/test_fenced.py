"""``context.fenced()`` on the servers' own locks: nothing of an old token is committed after a newer claim."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection, connections, transaction

from workerd.child.seat import HeldSeat, NoSeat
from workerd.errors import NestedFenceError, SeatLostError
from workerd.models import Job, Operation, Seat

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = 41
WITHIN_S = 30.0
STILL_S = 0.3


@dataclass
class Word:
    """A page's word on the seat; ``on_look`` is called with the number of each look at it."""

    deadline_ns_: int = 0
    looks: int = 0
    on_look: Callable[[int], None] = lambda _: None

    @property
    def deadline_ns(self) -> int:
        self.looks += 1
        self.on_look(self.looks)
        return self.deadline_ns_


class Claim(threading.Thread):
    """Another node's claim, on a connection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()
        self.rows = 0

    def run(self) -> None:
        try:
            self.rows = Seat.objects.filter(token=TOKEN).update(token=TOKEN + 1)
            self.done.set()
        finally:
            connections.close_all()


@pytest.fixture
def seat_row() -> Seat:
    job = Job.objects.create(name="feed", target="shop.jobs.feed")
    return Seat.objects.create(job=job, index=0, token=TOKEN, takeover_ms=30_000)


def held(row: Seat, word: Word | None = None) -> HeldSeat:
    return HeldSeat("feed", row.job_id, row.index, TOKEN, word or Word())


def write() -> None:
    Operation.objects.create(verb="restart", requested_by="the old child")


def write_and_fail() -> None:
    write()
    raise ZeroDivisionError


def written() -> int:
    return Operation.objects.count()


def test_who_has_the_seat_commits(seat_row: Seat) -> None:
    with held(seat_row).fenced():
        write()

    assert written() == 1


def test_a_claim_that_came_first_rolls_the_old_child_back(seat_row: Seat) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no second writer inside a transaction")
    claim = Claim()

    def work() -> None:
        write()
        claim.start()
        assert claim.done.wait(WITHIN_S), "the claim waited for the old child"

    with pytest.raises(SeatLostError, match="by token 42"), held(seat_row).fenced():
        work()
    claim.join(WITHIN_S)

    assert (claim.rows, written()) == (1, 0)


def test_a_claim_that_comes_after_the_comparison_waits_for_the_commit(seat_row: Seat) -> None:
    claim, waited = Claim(), []

    def look(number: int) -> None:
        if number == 2:  # the one after the comparison
            claim.start()
            waited.append(not claim.done.wait(STILL_S))

    with held(seat_row, Word(on_look=look)).fenced():
        write()
    claim.join(WITHIN_S)

    assert (waited, claim.rows, written()) == ([True], 1, 1)


@pytest.mark.parametrize("look", [1, 2], ids=["before it begins", "after the comparison"])
def test_a_deadline_that_has_passed_rolls_back(seat_row: Seat, look: int) -> None:
    word = Word()

    def pass_deadline(number: int) -> None:
        word.deadline_ns_ = 1 if number == look else 0

    word.on_look = pass_deadline
    with pytest.raises(SeatLostError, match="could not renew"), held(seat_row, word).fenced():
        write()

    assert written() == 0


def test_a_deadline_that_has_not_passed_is_no_loss(seat_row: Seat) -> None:
    ahead = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 10**12
    with held(seat_row, Word(ahead)).fenced():
        write()

    assert written() == 1


def test_a_seat_whose_row_is_gone_is_lost(seat_row: Seat) -> None:
    seat = held(seat_row)
    seat_row.delete()
    with pytest.raises(SeatLostError, match="its row is gone"), seat.fenced():
        write()

    assert written() == 0


def test_what_the_block_raises_rolls_back_without_a_comparison(seat_row: Seat) -> None:
    with pytest.raises(ZeroDivisionError), held(seat_row).fenced():
        write_and_fail()

    assert written() == 0


def test_it_is_refused_inside_another_transaction(seat_row: Seat) -> None:
    with transaction.atomic(), pytest.raises(NestedFenceError, match="outermost"), held(seat_row).fenced():
        write()

    assert written() == 0


def test_another_transaction_may_stand_inside_it(seat_row: Seat) -> None:
    with held(seat_row).fenced(), transaction.atomic():
        write()

    assert written() == 1


def test_it_is_refused_where_the_project_commits_by_itself(seat_row: Seat) -> None:
    transaction.set_autocommit(False)
    try:
        with pytest.raises(NestedFenceError), held(seat_row).fenced():
            write()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_without_a_seat_it_is_a_plain_transaction() -> None:
    with transaction.atomic(), NoSeat().fenced():
        write()
    assert written() == 1
    with pytest.raises(ZeroDivisionError), NoSeat().fenced():
        write_and_fail()

    assert written() == 1
