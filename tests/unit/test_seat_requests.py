"""What the daemon and the rows ask of the keeper, and what wakes it."""

import threading

from tests.harness.waiting import eventually
from workerd.ledger.seats.asked import Wanted
from workerd.ledger.seats.place import Held
from workerd.ledger.seats.requests import Requests, is_fresh
from workerd.ledger.seats.waking import GivenUp
from workerd.wire.lease import boot_time
from workerd.wire.messages import Alive, Draining, SeatDeclined, SeatReleased, SeatSettled
from workerd.wire.spec import JobSpec

JOB = JobSpec(name="feed", id=1, scope="fleet")
WANTED = Wanted(3, (JOB,))
LONG_S = 60.0


def woken(requests: Requests) -> bool:
    """Return whether the keeper would go on at once."""
    thread = threading.Thread(target=requests.wait, args=(LONG_S,), daemon=True)
    thread.start()
    return bool(eventually(lambda: not thread.is_alive(), 30.0, "the end of the wait"))


def test_a_release_wakes_the_keeper_and_stays_until_it_is_done() -> None:
    requests = Requests()
    requests.hear(SeatReleased(1, 0, 7))

    assert not requests.wait(LONG_S).look
    assert requests.take().releases == {((1, 0), 7)}
    requests.released([((1, 0), 7)])
    assert not requests.take().releases


def test_a_seat_that_is_to_be_given_up_is_not_told_as_held() -> None:
    requests = Requests()
    requests.hear(SeatReleased(1, 0, 7))
    given_up, kept, newer = Held((1, 0), 7, 30_000, ""), Held((1, 1), 8, 30_000, ""), Held((1, 0), 9, 30_000, "")

    assert requests.kept([given_up, kept, newer]) == [kept, newer]


def test_new_jobs_the_end_of_a_drain_and_a_decline_ask_for_a_look() -> None:
    requests = Requests()
    requests.want(WANTED)
    assert requests.wait(LONG_S).look
    requests.hear(Draining(draining=True))
    assert not requests.wait(LONG_S).look
    requests.hear(Draining(draining=False))
    assert requests.wait(LONG_S).look
    requests.hear(SeatDeclined(1, "no module"))
    assert requests.wait(LONG_S).look
    assert requests.take().declined == {1: "no module"}
    requests.hear(SeatDeclined(1, ""))

    assert requests.take().declined == {}


def test_the_same_jobs_ask_for_nothing() -> None:
    requests = Requests()
    requests.want(WANTED)
    requests.wait(LONG_S)
    requests.want(Wanted(3, (JOB,)))

    assert not requests.wait(0.0).look


def test_the_first_word_of_a_daemon_that_was_awaited_wakes_the_keeper() -> None:
    requests = Requests()
    requests.await_daemon(awaited=True)
    requests.hear(Alive(boot_time(), []))

    assert woken(requests)
    assert is_fresh(requests.take().alive, 5.0)
    assert not is_fresh(Alive(boot_time() - 5.0, []), 5.0)
    assert not is_fresh(None, 5.0)


def test_one_keeper_runs_while_anything_is_wanted_or_held() -> None:
    requests = Requests()
    assert requests.enter() is False
    requests.want(WANTED)
    assert requests.enter() is True
    assert requests.enter() is False
    assert requests.leave(holds=False) is False
    requests.want(Wanted(3))
    assert requests.leave(holds=True) is False
    requests.hear(SeatReleased(1, 0, 7))
    assert requests.leave(holds=False) is False
    requests.released([((1, 0), 7)])

    assert requests.leave(holds=False) is True
    assert requests.enter() is False
    requests.want(WANTED)
    assert requests.enter() is True


def test_the_ledgers_end_waits_for_what_came_while_the_keeper_had_its_turn() -> None:
    requests = Requests()
    requests.want(WANTED)
    requests.enter()
    settled = SeatSettled(1, 0, 7, "every 10 s", 100.0, None, None)
    requests.hear(settled)
    requests.hear(SeatReleased(1, 0, 7))
    requests.end()

    assert requests.leave(holds=True) is False
    requests.noted(settled)
    assert requests.leave(holds=True) is False
    requests.released([((1, 0), 7)])
    assert requests.leave(holds=True) is True


def test_the_ledgers_end_ends_the_keeper() -> None:
    requests = Requests()
    requests.want(WANTED)
    requests.enter()
    requests.end()

    assert woken(requests)
    assert requests.leave(holds=True) is True
    assert requests.enter() is False


def test_what_is_released_during_the_last_turn_is_carried_out_before_the_end() -> None:
    requests = Requests()
    requests.want(WANTED)
    requests.enter()
    requests.hear(SeatReleased(1, 0, 7))
    requests.end()
    assert requests.leave(holds=True) is False
    requests.released([((1, 0), 7)])

    assert requests.leave(holds=True) is True


def test_a_seat_that_another_node_gives_up_is_told_once_and_asks_for_no_look() -> None:
    requests = Requests()
    requests.hurry("seats 7 2 5")
    requests.hurry("seats 8 0 0")

    assert requests.wait(LONG_S) == (False, (GivenUp((7, 2), 5), GivenUp((8, 0), None)))
    assert requests.wait(0.0) == (False, ())


def test_a_word_that_names_no_seat_asks_for_a_look() -> None:
    requests = Requests()
    requests.hurry("seats")

    assert requests.wait(LONG_S) == (True, ())
