"""What is promised of due moments, beside the numbered cases of test_due_cases."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.due_story import DueStory, moment, no_seats
from workerd.daemon.node.orders import Orders
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.waiting import explain
from workerd.wire.words import Outcome, Overlap, Restart, State

TERMINATED = ExitStatus(signal=15)


@pytest.fixture
def story() -> Iterator[DueStory]:
    story = DueStory()
    yield story
    story.life.close()


def outcomes(story: DueStory) -> list[tuple[str, str, str]]:
    return [(told.due, told.trigger, told.outcome) for told in story.history()]


def missed(story: DueStory) -> list[str]:
    return [event["reason"] for event in story.events("job.missed")]


class Ordering:
    """Orders to the daemon of a story, and their answers."""

    def __init__(self, story: DueStory) -> None:
        life = story.life
        self._story = story
        self._orders = Orders(
            life.loop, life.stack_dumps, life.slot_set, life.lifecycle, life.gate, lambda: "", no_seats()
        )
        self.answers: list[Any] = []

    def give(self, verb: str) -> None:
        self._orders.carry_out(verb, ["job"], self.answers.append, by="ada")
        self.go_on()

    def go_on(self) -> None:
        for _ in range(3):
            self._story.settle()
            self._orders.go_on()


# a clock that is set back


def test_a_clock_that_was_wrong_from_the_start_is_put_right_before_anything_came_due(story: DueStory) -> None:
    slot = story.write(schedule="30 12 * * *")
    story.set_clock(-3 * 86400)

    assert slot.next_start_wall == moment("2026-02-27 12:30")


def test_a_clock_set_back_to_after_the_last_look_is_noticed(story: DueStory) -> None:
    story.write("early", schedule="1 12 * * *")
    story.pass_time(61)
    story.pass_time(6 * 3600)
    slot = story.write(schedule="30 * * * *")
    story.set_clock(-5 * 3600)

    assert slot.next_start_wall == moment("2026-03-02 13:30")


@pytest.mark.parametrize("waits", ["for a process", "for the run before it"])
def test_what_waits_does_not_come_again_when_the_clock_is_set_back(story: DueStory, waits: str) -> None:
    story.births = waits != "for a process"
    story.write(schedule="* * * * *", overlap=Overlap.QUEUE)
    story.pass_time(65 if waits == "for a process" else 125)
    story.set_clock(-30)
    story.pass_time(50)

    assert missed(story) == []


# what waits for the run before it


def test_what_is_queued_starts_after_a_long_run(story: DueStory) -> None:
    story.write(schedule="*/15 * * * *", overlap=Overlap.QUEUE, start_within=600)
    story.pass_time(900 + 900 + 700)
    story.end()

    assert story.is_running
    assert outcomes(story)[-1] == ("02 12:30:00", "schedule", "")


def test_what_is_queued_still_has_to_start_within_its_time_once_it_can(story: DueStory) -> None:
    story.write(schedule="*/15 * * * *", overlap=Overlap.QUEUE, start_within=100)
    story.pass_time(900 + 900 + 700)
    story.births = False
    story.end()
    story.pass_time(101)

    assert outcomes(story)[-1] == ("02 12:30:00", "schedule", "missed")


@pytest.mark.parametrize("waits", ["for a process", "for the run before it"])
def test_what_waits_has_its_row_also_when_a_clock_skips_far_ahead_and_the_daemon_is_killed(
    story: DueStory, waits: str
) -> None:
    """The newer moments are accounted for, so that no later daemon would look at the one that waits."""
    story.births = waits != "for a process"
    story.write(schedule="0,10,20 * * * *", overlap=Overlap.QUEUE, start_within=60)
    story.pass_time(600 + 5 if waits == "for a process" else 1200 + 5)
    story.set_clock(3600 - 900)
    story.kill()
    story.boot()

    told = [due for due, *_ in outcomes(story)]
    queued = "02 12:10:00" if waits == "for a process" else "02 12:20:00"
    assert queued in told
    assert sorted(told) == sorted(set(told))


def test_what_was_queued_before_its_row_says_skip_gives_way_to_the_newer_one(story: DueStory) -> None:
    story.write(schedule="*/15 * * * *", overlap=Overlap.QUEUE)
    story.pass_time(1800 + 5)
    story.write(overlap=Overlap.SKIP)
    story.pass_time(900)
    story.kill()
    story.boot()

    assert [due for due, _, outcome in outcomes(story) if outcome == "missed"] == ["02 12:30:00"]


def test_an_order_to_restart_what_waits_for_its_process_keeps_its_moment(story: DueStory) -> None:
    orders = Ordering(story)
    story.births = False
    story.write(schedule="*/15 * * * *")
    story.pass_time(900 + 5)
    orders.give("restart")
    story.births = True
    story.settle()

    assert missed(story) == []
    assert outcomes(story) == [("02 12:15:00", "schedule", "")]


def test_what_replaces_a_run_starts_however_long_that_takes_to_stop(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.REPLACE, start_within=0.0)
    story.pass_time(123)
    story.end(end=TERMINATED)

    assert story.is_running


def test_a_restart_by_name_begins_the_run_anew_however_long_it_takes_to_stop(story: DueStory) -> None:
    story.write(schedule="1 12 * * *", start_within=0.0)
    story.pass_time(70)
    ordering = Ordering(story)
    ordering.give("restart")
    story.pass_time(3)
    story.end(end=TERMINATED)
    ordering.go_on()

    assert story.is_running
    assert [answer["ok"] for answer in ordering.answers] == [True]


# reasons


def test_a_start_that_lapses_names_what_it_waited_for(story: DueStory) -> None:
    story.births = False
    slot = story.write(schedule="1 12 * * *", start_within=30)
    story.pass_time(61)
    story.life.lifecycle.explain(slot, "waiting for a place")
    story.pass_time(60)

    assert missed(story) == ["it could not start within 30 s, its row's start_within: waiting for a place"]


@pytest.mark.parametrize("overlap", list(Overlap))
def test_a_start_that_waits_gives_way_to_the_next_moment(story: DueStory, overlap: Overlap) -> None:
    """Whatever the overlap: no run goes on."""
    story.births = False
    story.write(schedule="* * * * *", overlap=overlap)
    story.pass_time(121)
    assert missed(story) == ["it came due again before it could start"]
    story.births = True
    story.settle()

    assert story.is_running
    assert outcomes(story) == [("02 12:01:00", "schedule", "missed"), ("02 12:02:00", "schedule", "")]


@pytest.mark.parametrize("ends", [DueStory.kill, DueStory.shut_down])
def test_no_moment_is_lost_that_waited_when_the_daemon_ended(story: DueStory, ends: Any) -> None:
    story.births = False
    story.write(schedule="* * * * *")
    story.pass_time(121)
    ends(story)
    story.clock.advance(3600)
    story.births = True
    story.boot()

    assert sum(told.missed or 1 for told in story.history()) == 62


@pytest.mark.parametrize("overlap", list(Overlap))
def test_what_takes_the_place_of_a_start_is_written_down_before_it_begins(story: DueStory, overlap: Overlap) -> None:
    story.births = False
    story.write(schedule="every 10 s", restart=Restart.NEVER, overlap=overlap)
    story.pass_time(11)
    story.journal.lags = True
    story.pass_time(10)
    story.births = True
    story.settle()
    assert story.slot().is_starting
    story.journal.catch_up()
    story.settle()

    assert story.is_running


def test_what_waits_while_its_job_is_parked_is_missed_for_that(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.QUEUE, enabled=False)
    slot = story.write(enabled=True)
    story.pass_time(121)
    slot.child.refusal = "no such printer"  # type: ignore[union-attr]
    story.end(end=ExitStatus(code=78))

    assert slot.outcome is Outcome.REFUSED
    assert missed(story) == ["it is parked: no such printer"]


def test_a_row_whose_schedule_cannot_be_read_is_no_fault_of_the_daemon(story: DueStory) -> None:
    """A fault would fail the test: the loop's guard raises."""
    slot = story.write(schedule="0 30 2 * * *", problem="it has six fields")
    story.life.calendar.read_zones_again()
    story.settle()

    assert slot.is_parked


def test_what_is_queued_by_other_times_is_not_run_for(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.QUEUE)
    story.pass_time(125)
    story.write(schedule="0 5 * * *")
    story.end()

    assert story.slot().is_resting
    assert outcomes(story) == [("02 12:01:00", "schedule", "finished"), ("02 12:02:00", "schedule", "missed")]
    assert missed(story) == ["its row was edited"]


@pytest.mark.parametrize("restart", [Restart.NEVER, Restart.ON_FAILURE])
def test_times_that_are_missed_during_a_run_share_a_row(story: DueStory, restart: Restart) -> None:
    story.write(schedule="* * * * *", restart=restart)
    story.pass_time(60 * 6)

    assert [(told.outcome, told.missed) for told in story.history()] == [("", 0), ("missed", 5)]


# who runs again


def test_a_run_that_was_asked_for_is_not_repeated_after_a_kill(story: DueStory) -> None:
    story.write(schedule="1 12 * * *", start_within=7200)
    Ordering(story).give("trigger")
    story.pass_time(120)  # a time of the schedule is missed meanwhile
    story.kill()
    story.boot()

    assert story.slot().is_resting
    assert outcomes(story) == [("02 12:00:00", "operator", ""), ("02 12:01:00", "schedule", "missed")]


def test_a_moment_that_has_run_is_not_run_again_when_its_row_is_enabled_in_another_life(story: DueStory) -> None:
    story.write(schedule="at 2026-03-02 12:05")
    story.pass_time(301)
    story.end()
    story.write(enabled=False)
    story.shut_down()
    story.boot()
    story.write(enabled=True)

    assert story.slot().state is State.DONE
    assert outcomes(story) == [("02 12:05:00", "schedule", "finished")]


def test_a_start_that_was_written_down_and_not_made_is_left_to_the_next_daemon(story: DueStory) -> None:
    story.births = False
    story.write(schedule="1 12 * * *", restart=Restart.NEVER)
    story.pass_time(62)
    story.shut_down()
    story.births = True
    story.boot()
    story.end()

    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


def test_an_order_for_a_start_that_is_written_down_first_is_answered_by_its_run(story: DueStory) -> None:
    story.births = False
    for name in ("one", "two"):
        story.write(name, schedule="1 12 * * *")  # these have the test's places in the line
    story.write(schedule="1 12 * * *", restart=Restart.NEVER)
    story.pass_time(61)
    ordering = Ordering(story)
    ordering.give("trigger")
    story.births = True
    ordering.go_on()

    [answer] = ordering.answers
    assert answer["ok"], answer


def test_a_reload_at_the_very_moment_of_a_due_takes_it_from_nobody(story: DueStory) -> None:
    """The daemon may hear of new code after the moment has come, and before its timer has told it so."""
    story.write(schedule="30 12 * * *")
    story.clock.advance(moment("2026-03-02 12:30") - story.clock.wall())
    story.life.calendar.read_zones_again()
    story.settle()
    story.go_to("2026-03-02 13:00")

    assert [told.due for told in story.history()] == ["02 12:30:00"]


# the order of start


def waits_for_bridge(story: DueStory) -> LiveSlot:
    """Have a moment come due while the job that the row starts after is still on its way."""
    story.births = False
    story.write("bridge", restart=Restart.ALWAYS, start_timeout=300.0)
    slot = story.write(schedule="1 12 * * *", starts_after=["bridge"])
    story.pass_time(61)
    assert explain(slot) == "waits for bridge to run"
    return slot


def test_the_first_run_waits_for_the_jobs_that_its_row_starts_after(story: DueStory) -> None:
    slot = waits_for_bridge(story)
    story.births = True
    story.pass_time(5)

    assert slot.state is State.RUNNING
    assert outcomes(story)[-1] == ("02 12:01:00", "schedule", "")
    assert missed(story) == []


def test_a_run_that_waited_too_long_for_others_is_missed(story: DueStory) -> None:
    slot = waits_for_bridge(story)
    story.write(start_within=30.0)
    story.pass_time(31)

    assert slot.is_resting
    assert missed(story) == ["it could not start within 30 s, its row's start_within: waits for bridge to run"]


def test_a_run_that_is_asked_for_waits_for_nobody(story: DueStory) -> None:
    slot = waits_for_bridge(story)
    Ordering(story).give("trigger")

    assert slot.is_starting
