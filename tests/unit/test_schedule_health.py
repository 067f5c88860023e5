"""What is told of schedules from outside: the last success, what was missed, and when that is unhealthy."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.node.observer import Counters
from workerd.daemon.node.status import OVERDUE_S
from workerd.daemon.slots.rows import slot_row
from workerd.daemon.slots.slot import LiveSlot
from workerd.observer.answers import ready
from workerd.observer.metrics import render
from workerd.wire.messages import DatabaseConnected, JobsListed, SlotsRemembered
from workerd.wire.words import State

from .test_status import status_of

MINUTELY: dict[str, Any] = {
    "schedule": "every 1 min", "time_zone": "UTC", "restart": "on_failure", "max_restarts": 0, "significant": True,
    "start_grace": 0.1,
}  # fmt: skip
"""The clock of the tests is 20 s past a minute at first."""


class Watched:
    """A node with a job that is due each minute, and what an observer makes of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.counters = Counters()
        self.status, _, readiness = status_of(node, self.counters)
        node.parts.log.taps.add(self.counters.count_line)
        node.start()
        node.settle()
        node.tell(DatabaseConnected("sqlite", "3"), JobsListed(0))
        node.add_job("report", **MINUTELY)
        readiness.look()

    @property
    def slot(self) -> LiveSlot:
        return self.node.slot("report")

    def run(self, code: int | None = 0, **end: Any) -> None:
        """Have it come due, run, and end."""
        self.begin()
        self.node.end_child(self.slot, code=code, **end)

    def begin(self) -> None:
        while not self.slot.is_running:
            self.node.pass_time(1.0)
            self.node.settle()

    def health(self) -> tuple[int, str]:
        answer = ready(lambda _verb: self.status.snapshot())
        return answer.status, answer.body.decode()

    def metric(self, name: str) -> float | None:
        text = render(self.status.snapshot()).decode()
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), None)


@pytest.fixture
def watched(node: Node) -> Watched:
    return Watched(node)


FAILED = (503, "report failed at its last time, and its job is significant\n")
MISSED = (503, "report missed its last time, and its job is significant\n")
WELL = (200, "ok\n")


def test_a_job_that_waits_for_its_first_time_is_well(watched: Watched) -> None:
    assert watched.health() == WELL


def test_a_significant_job_that_failed_for_good_is_unhealthy_until_it_finishes(watched: Watched) -> None:
    figure = 'workerd_job_due_failed{job="report"}'
    watched.run(code=1)
    failed = watched.health(), watched.metric(figure)
    watched.run(code=0)

    assert (failed, watched.health(), watched.metric(figure)) == ((FAILED, 1), WELL, 0)


def test_a_job_that_nobody_called_significant_may_fail(watched: Watched) -> None:
    watched.node.add_job("report", **{**MINUTELY, "significant": False})
    watched.run(code=1)

    assert watched.health() == WELL


def test_a_run_that_is_tried_again_has_not_failed_for_good(watched: Watched) -> None:
    watched.node.add_job("report", **{**MINUTELY, "max_restarts": 1, "backoff_initial": 5.0})
    watched.run(code=1)
    first = watched.health()
    watched.run(code=1)

    assert (first, watched.health()) == (WELL, FAILED)


def test_a_retry_that_gives_way_to_the_next_time_has_failed_for_good(watched: Watched) -> None:
    watched.node.add_job("report", **{**MINUTELY, "max_restarts": None, "backoff_initial": 300.0, "backoff_max": 300.0})
    for _ in range(2):  # the first failure of a run that was well is tried again at once
        watched.begin()
        watched.node.end_child(watched.slot, code=1)
    waits = watched.slot.state
    watched.begin()

    assert waits is State.BACKOFF
    assert watched.health() == FAILED


def test_a_time_that_was_missed_is_unhealthy(watched: Watched) -> None:
    """Case 72."""
    watched.node.clock.advance(3600.0)
    watched.node.add_job("report", **{**MINUTELY, "start_within": 1.0})
    watched.node.turn()

    assert watched.health() == MISSED
    assert watched.metric('workerd_job_missed_total{job="report"}') == 60


def test_runs_that_are_longer_than_the_interval_are_missed_and_well(watched: Watched) -> None:
    """Case 60."""
    watched.begin()
    watched.node.pass_time(130.0)

    assert watched.health() == WELL
    assert watched.metric('workerd_job_missed_total{job="report"}') == 2


def test_a_job_that_an_operator_has_stopped_is_no_trouble(watched: Watched) -> None:
    watched.run(code=1)
    watched.node.parts.lifecycle.want(watched.slot, False)

    assert watched.health() == WELL


def test_a_run_that_is_stopped_with_the_row_is_neither(watched: Watched) -> None:
    watched.begin()
    watched.node.add_job("report", enabled=False, **MINUTELY)
    watched.node.end_child(watched.slot, signal=signal.SIGTERM)

    assert watched.health() == WELL
    assert watched.metric('workerd_job_last_success_timestamp_seconds{job="report"}') is None


def test_a_calendar_that_does_not_look_is_said(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 71."""
    following = watched.slot.next_start_wall
    assert following is not None
    monkeypatch.setattr(watched.node.parts.calendar, "look", lambda: None)
    watched.node.clock.wall_now = following + OVERDUE_S
    early = watched.health()
    watched.node.clock.wall_now += 1

    assert early == WELL
    assert watched.health() == (
        503,
        "report was due more than a minute ago and workerd has not started it: please report it\n",
    )


def test_the_figures_of_a_schedule(watched: Watched) -> None:
    before = watched.metric('workerd_job_last_success_timestamp_seconds{job="report"}')
    watched.run()
    finished = watched.node.clock.wall()
    watched.run(code=1)

    assert before is None
    assert watched.metric('workerd_job_last_success_timestamp_seconds{job="report"}') == finished
    assert watched.metric('workerd_job_next_due_timestamp_seconds{job="report"}') == watched.slot.next_start_wall
    assert watched.metric('workerd_job_missed_total{job="report"}') == 0
    assert watched.metric("workerd_job_lateness_seconds_count") == 2
    assert watched.metric('workerd_job_lateness_seconds_bucket{le="1.0"}') == 2


def test_retries_and_what_an_operator_asks_for_are_not_late(watched: Watched) -> None:
    watched.node.add_job("report", **{**MINUTELY, "max_restarts": 1})
    watched.run(code=1)
    watched.run(code=1)

    assert [born.get("late_s") is not None for born in watched.node.lines.of("child.born")[-2:]] == [True, False]
    assert watched.metric("workerd_job_lateness_seconds_count") == 1


def test_what_waits_for_its_time_does_not_count_as_waiting(watched: Watched) -> None:
    resting = 'workerd_slots{job="report",state="RESTING"}'
    rests = watched.metric(resting)
    watched.begin()

    assert (rests, watched.metric(resting)) == (1, None)
    assert watched.metric('workerd_slots{job="report",state="RUNNING"}') == 1
    assert watched.metric('workerd_slots{job="report",state="WAITING"}') is None


def test_the_last_success_is_kept_in_the_slots_row(watched: Watched) -> None:
    watched.run()
    clock = watched.node.clock

    assert slot_row(watched.slot, clock)["last_success"] == clock.wall()


def test_a_daemon_knows_the_last_success_of_the_one_before(node: Node) -> None:
    status, _, _ = status_of(node, Counters())
    node.start()
    node.settle()
    node.tell(SlotsRemembered([[None, 0, "", None, None, 1_699_999_000.0]]))
    node.add_job("report", **MINUTELY)
    text = render(status.snapshot()).decode()

    assert 'workerd_job_last_success_timestamp_seconds{job="report"} 1.699999e+09' in text
