"""Every engine's consumer under workerd: it works, idles, finishes what it has in hand, and is found where it hangs."""

import signal
from typing import Any

import pytest

from tests.harness.backends.server import wait_until_ended

from .case import HEARTBEAT_S, Case
from .shop.apps import STAND_STILL

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]

LOADED_WITHIN_S = 60.0


def test_it_does_what_it_is_given(case: Case) -> None:
    case.start()
    case.wait_done(case.enqueue(3))

    assert sorted(case.done()) == sorted(set(case.done()))
    assert case.events("child.hung") == case.events("child.exited") == []


def _stop_with_a_task_in_hand(case: Case, **row: Any) -> None:
    case.start(**row)
    (number,) = case.enqueue(1, seconds=3.0)
    case.wait_began(number)

    case.project.edit_job(case.name, enabled=False)

    end = case.event("child.exited", within=60)
    assert (end["outcome"], end["exit_code"]) == ("stopped", 0)
    assert case.done() == [number]


def test_a_stop_finishes_the_task_in_hand(case: Case) -> None:
    _stop_with_a_task_in_hand(case)


@pytest.mark.many
@pytest.mark.parametrize("name", ["INT", "QUIT", "USR1"])
def test_whatever_its_signal_a_stop_finishes_the_task_in_hand(case: Case, name: str) -> None:
    _stop_with_a_task_in_hand(case, stop_signal=name)


@pytest.mark.many
def test_a_stop_of_an_idle_one_is_soon(case: Case) -> None:
    case.start()

    case.project.edit_job(case.name, enabled=False)

    end = case.event("child.exited", within=HEARTBEAT_S)
    assert (end["outcome"], end["exit_code"]) == ("stopped", 0)


@pytest.mark.many
def test_idling_is_no_hang(case: Case) -> None:
    case.start()

    case.outlive(4 * HEARTBEAT_S)

    assert case.events("child.hung") == case.events("child.exited") == []
    case.wait_done(case.enqueue(1))


@pytest.mark.many
def test_a_task_longer_than_the_heartbeat_timeout_is_no_hang(case: Case) -> None:
    case.start()
    (number,) = case.enqueue(1, seconds=2 * HEARTBEAT_S)

    if case.engine.works_in_loop:
        assert case.event("child.hung", within=4 * HEARTBEAT_S)["silent_s"] >= HEARTBEAT_S
        return
    case.wait_done([number], within=4 * HEARTBEAT_S)

    assert case.events("child.hung") == case.events("child.exited") == []


@pytest.mark.many
def test_a_killed_one_leaves_no_process_and_its_task_what_the_engine_says(case: Case) -> None:
    case.start()
    (number,) = case.enqueue(1, seconds=10.0)
    case.wait_began(number)
    processes = case.processes()

    case.signal(signal.SIGKILL)

    assert case.event("child.exited")["signal"] == "SIGKILL"
    wait_until_ended(processes, within=10.0)
    assert number not in case.done()
    case.wait_done(case.enqueue(1), within=60)
    if case.engine.after_kill == "again":
        case.wait_done([number], within=case.engine.again_within)
    else:
        assert case.began().count(number) == 1


@pytest.mark.many
def test_one_that_stands_still_is_found_with_its_stack(case: Case) -> None:
    case.start(stop_timeout=1.0)

    case.signal(STAND_STILL)

    assert case.event("child.hung", within=4 * HEARTBEAT_S)["silent_s"] >= HEARTBEAT_S
    assert "in stand_still" in case.event("child.stack")["stack"]
    assert case.event("child.exited")["outcome"] == "hung"
    case.wait_done(case.enqueue(1), within=60)


@pytest.mark.many
def test_one_that_is_stopped_by_a_signal_is_found(case: Case) -> None:
    case.start(stop_timeout=1.0)

    case.signal(signal.SIGSTOP)

    assert case.event("child.exited", within=4 * HEARTBEAT_S)["outcome"] == "hung"
    case.wait_done(case.enqueue(1), within=60)


@pytest.mark.many
def test_two_slots_share_the_tasks(case: Case) -> None:
    case.start(processes=2)

    numbers = case.enqueue(40, seconds=0.25)

    case.wait_done(numbers, within=60)
    assert case.slots_at_work() == {0, 1}
    assert sorted(case.done()) == numbers
    assert case.events("child.hung") == case.events("child.exited") == []


@pytest.mark.many
def test_reloads_under_load_lose_no_task_of_five_hundred(case: Case) -> None:
    case.start(processes=2)

    numbers = []
    for _ in range(5):
        numbers += case.enqueue(100)
        assert case.daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"] is True

    case.wait_done(numbers, within=120)
    assert sorted(case.done()) == numbers
    ends = case.events("child.exited")
    assert {(end["outcome"], end["exit_code"]) for end in ends} == {("stopped", 0)}
    assert len(ends) == 2 * 5


@pytest.mark.many
def test_a_broker_that_is_away_is_waited_for(case: Case) -> None:
    """The task that is in hand by then is done, and so are those that come later."""
    if case.broker is None:
        pytest.skip("this engine's tasks are in the project's database")
    case.start()
    (number,) = case.enqueue(1, seconds=3.0)
    case.wait_began(number)

    case.broker.stop()
    try:
        case.outlive(1.5 * HEARTBEAT_S)
    finally:
        case.broker.start()

    case.wait_done([number, *case.enqueue(3)], within=60)
    assert case.events("child.hung") == case.events("child.exited") == []


@pytest.mark.many
def test_a_stop_while_the_broker_is_away_is_in_order(case: Case) -> None:
    if case.broker is None:
        pytest.skip("this engine's tasks are in the project's database")
    case.start()

    case.broker.stop()
    try:
        case.outlive(0.5 * HEARTBEAT_S)
        case.project.edit_job(case.name, enabled=False)
        end = case.event("child.exited", within=60)
    finally:
        case.broker.start()

    assert (end["outcome"], end["exit_code"]) == ("stopped", 0)
    assert case.events("child.killed") == []
