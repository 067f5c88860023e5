"""What a life holds, where another server answers that may have forgotten who has taken its seats."""

import pytest

from workerd.ledger.seats.place import Held
from workerd.ledger.seats.renewal import Renewed
from workerd.ledger.seats.returned import Returned
from workerd.wire.spec import JobSpec
from workerd.wire.words import WithoutDatabase

F = 30.0
PLACE, TOKEN = (1, 0), 7
SEAT = Held(PLACE, TOKEN, int(F * 1000), "")
STOPS = JobSpec(name="feed", id=1, scope="fleet", takeover_after=F)
GOES_ON = JobSpec(name="feed", id=1, scope="fleet", takeover_after=F, without_database=WithoutDatabase.GO_ON.value)


class Ledger:
    """Renews at moments and servers of the test's choice."""

    def __init__(self, job: JobSpec = STOPS) -> None:
        self.returned, self.job = Returned(), job

    def renew(self, server: str, now: float, *held: Held) -> list[Held]:
        """Return what is held of what the rows of the server say."""
        mine = self.returned.sort(Renewed([*held], server), [self.job], lambda: now)
        for seat in mine:
            self.returned.confirm(seat.place, seat.token, now, seat.takeover_ms / 1000)
        return mine


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_the_first_server_is_believed(ledger: Ledger) -> None:
    """A new ledger of the life knows nothing else."""
    assert ledger.renew("a", 0.0, SEAT) == [SEAT]
    assert ledger.renew("a", 1000.0, SEAT) == [SEAT], "it has not forgotten, however long it did not answer"


@pytest.mark.parametrize(("now", "is_held"), [(F * 0.9, True), (F * 0.99, False), (F + 1, False)])
def test_another_server_is_believed_while_nobody_can_have_taken_the_seat(
    ledger: Ledger, now: float, *, is_held: bool
) -> None:
    ledger.renew("a", 0.0, SEAT)

    assert ledger.renew("b", now, SEAT) == [SEAT] * is_held
    assert ledger.renew("b", now + 5, SEAT) == [SEAT] * is_held


def test_what_was_lost_is_not_held_again(ledger: Ledger) -> None:
    ledger.renew("a", 0.0, SEAT)
    ledger.renew("a", 1.0)

    assert ledger.renew("b", 2.0, SEAT) == []
    assert ledger.returned.places == {PLACE}


def test_what_was_released_is_not_held_again_though_no_renewal_has_shown_it(ledger: Ledger) -> None:
    ledger.renew("a", 0.0, SEAT)
    assert ledger.returned.release(PLACE, TOKEN)
    assert ledger.returned.release(PLACE, TOKEN), "the answer was lost"

    assert ledger.renew("b", 2.0, SEAT) == []
    assert not ledger.returned.release(PLACE, TOKEN), "whoever has taken it may run"


def test_it_is_let_go_when_whoever_has_taken_it_has_ended(ledger: Ledger) -> None:
    ledger.renew("a", 0.0, SEAT)
    ledger.renew("a", 1.0)
    ledger.renew("b", 2.0, SEAT)

    assert ledger.returned.over(2.0 + F - 0.1) == []
    assert ledger.returned.over(2.0 + F) == [(PLACE, TOKEN)]
    ledger.renew("b", 40.0)
    assert (ledger.returned.over(1000.0), ledger.returned.places) == ([], set())


def test_a_third_server_that_gives_it_back_again_is_waited_for_as_well(ledger: Ledger) -> None:
    """This life has released it at the second one, and claimed it anew: a process of that may run."""
    ledger.renew("a", 0.0, SEAT)
    ledger.renew("a", 1.0)
    ledger.renew("b", 2.0, SEAT)
    assert ledger.returned.over(2.0 + F) == [(PLACE, TOKEN)]
    ledger.renew("c", 3.0 + F, SEAT)

    assert ledger.returned.over(3.0 + F) == []
    assert ledger.returned.over(3.0 + 2 * F) == [(PLACE, TOKEN)]


def test_the_server_is_known_from_looks_too(ledger: Ledger) -> None:
    ledger.returned.reach("a")
    ledger.returned.reach("")

    assert ledger.renew("b", 2.0, SEAT) == []


@pytest.mark.parametrize("has_looked", [True, False])
@pytest.mark.parametrize(("believed", "is_held"), [("a", False), ("b", True), ("", True)])
def test_a_new_ledger_believes_the_server_that_the_one_before_believed(
    ledger: Ledger, believed: str, *, has_looked: bool, is_held: bool
) -> None:
    if has_looked:
        ledger.returned.reach("b")
    ledger.returned.begin(believed)

    assert ledger.renew("b", 2.0, SEAT) == [SEAT] * is_held
    assert ledger.renew("b", 3.0, SEAT) == [SEAT] * is_held


def test_a_claim_whose_answer_was_lost_is_ours(ledger: Ledger) -> None:
    """At the server that it was made at, and, for a while, at the next one."""
    ledger.returned.reach("a")
    ledger.returned.reach("b")
    ledger.returned.claim(PLACE, TOKEN, 0.0, F)
    ledger.renew("b", 1.0)

    assert ledger.renew("b", 2.0, SEAT) == [SEAT]


def test_a_claim_just_before_a_failover_is_ours(ledger: Ledger) -> None:
    ledger.returned.reach("a")
    ledger.returned.claim(PLACE, TOKEN, 0.0, F)

    assert ledger.renew("b", 5.0, SEAT) == [SEAT]


def test_a_process_that_goes_on_without_the_database_keeps_its_seat_but_gets_none_back() -> None:
    going, lost = Ledger(GOES_ON), Ledger(GOES_ON)
    for ledger in (going, lost):
        ledger.renew("a", 0.0, SEAT)
    lost.renew("a", 1.0)

    assert going.renew("b", 1000.0, SEAT) == [SEAT]
    assert lost.renew("b", 1000.0, SEAT) == []


def test_what_is_held_at_the_other_server_is_released_there(ledger: Ledger) -> None:
    ledger.renew("a", 0.0, SEAT)
    ledger.renew("b", 1.0, SEAT)

    assert ledger.returned.release(PLACE, TOKEN)
