"""An edit of ``takeover_after`` while a seat is held: the daemon never counts with more than another node waits."""

from workerd.ledger.seats.place import Held
from workerd.ledger.seats.takeovers import Takeovers
from workerd.wire.lease import kill_at
from workerd.wire.messages import Alive

PLACE = (1, 0)
LONG, SHORT = 300_000, 10_000


def held(ms: int) -> Held:
    return Held(PLACE, 7, ms, "")


def alive(now: float, deadline: float | None = None) -> Alive:
    return Alive(now, [[*PLACE, 7, 42, 1, deadline]] if deadline is not None else [])


def test_a_longer_time_is_written_first() -> None:
    takeovers = Takeovers()

    assert takeovers.to_tell(held(SHORT), LONG) == SHORT
    assert takeovers.to_write([held(SHORT)], {PLACE: LONG}, alive(100.0)) == {PLACE: LONG}
    assert takeovers.to_tell(held(LONG), LONG) == LONG


def test_a_shorter_time_is_told_first() -> None:
    takeovers = Takeovers()

    assert takeovers.to_tell(held(LONG), SHORT) == SHORT
    assert takeovers.to_write([held(LONG)], {PLACE: SHORT}, alive(100.0)) == {}


def test_a_shorter_time_is_written_when_the_daemon_counts_with_it() -> None:
    takeovers = Takeovers()
    takeovers.tell({PLACE: SHORT}, sent=100.0)
    takeovers.tell({PLACE: SHORT}, sent=101.5)

    assert takeovers.to_write([held(LONG)], {PLACE: SHORT}, alive(103.0, kill_at(101.5, 10.0))) == {PLACE: SHORT}


def test_a_daemon_that_has_not_taken_it_in_keeps_the_longer_time() -> None:
    """It may stand still, and the ledger kills its process by the deadline that it has told last."""
    takeovers = Takeovers()
    takeovers.tell({PLACE: SHORT}, sent=100.0)

    assert takeovers.to_write([held(LONG)], {PLACE: SHORT}, alive(103.0, kill_at(99.0, 300.0))) == {}
    assert takeovers.to_write([held(LONG)], {PLACE: SHORT}, alive(100.5, kill_at(100.0, 10.0))) == {}


def test_a_job_that_is_no_longer_wanted_keeps_its_time() -> None:
    assert Takeovers().to_write([held(LONG)], {}, alive(100.0)) == {}
