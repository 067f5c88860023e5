"""A seat that was stopped in the whole fleet is given up, also where its holder's daemon does not know of the order."""

from workerd.ledger.seats.place import Held
from workerd.ledger.seats.stopped import Stopped
from workerd.wire.messages import Alive

PLACE = (1, 0)
STOPPED = Held(PLACE, 7, 30_000, "ann")
RUNNING = [[*PLACE, 7, 42, 1, 130.0]]
STOP_S, R2 = 60.0, 10.0


def test_a_daemon_that_knows_has_the_time_that_its_process_needs() -> None:
    stopped = Stopped()

    assert stopped.look([STOPPED], {PLACE: STOP_S}, 100.0) == set()
    assert stopped.look([STOPPED], {PLACE: STOP_S}, 100.0 + STOP_S + R2) == set()
    assert stopped.over([STOPPED], Alive(200.0, [])) == []


def test_a_daemon_that_does_not_know_loses_the_seat_and_then_it_is_released() -> None:
    stopped = Stopped()
    stopped.look([STOPPED], {PLACE: STOP_S}, 100.0)
    lost_at = 100.0 + STOP_S + R2 + 1

    assert stopped.look([STOPPED], {PLACE: STOP_S}, lost_at) == {PLACE}
    assert stopped.over([STOPPED], Alive(lost_at + R2, [])) == []
    assert stopped.over([STOPPED], Alive(lost_at + R2 + 1, RUNNING)) == []
    assert stopped.over([STOPPED], Alive(lost_at + R2 + 1, [])) == [STOPPED]


def test_a_seat_that_is_started_again_is_kept() -> None:
    stopped = Stopped()
    stopped.look([STOPPED], {}, 100.0)
    stopped.look([STOPPED._replace(stopped_by="")], {}, 150.0)

    assert stopped.look([STOPPED], {}, 151.0) == set()
