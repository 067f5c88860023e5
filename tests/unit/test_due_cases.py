"""What other schedulers get wrong, case by case: each test has the number of its case."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.due_story import DueStory, Told, moment, no_seats
from workerd.daemon.node.orders import Orders
from workerd.daemon.rules.dues import settle
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.waiting import explain
from workerd.wire.schedule import clear_zone_cache, parse
from workerd.wire.words import Overlap, Restart, State, Trigger

FAILED, KILLED = ExitStatus(code=1), ExitStatus(signal=9)


@pytest.fixture
def story() -> Iterator[DueStory]:
    story = DueStory()
    yield story
    story.life.close()


def outcomes(story: DueStory, name: str = "job") -> list[tuple[str, str, str]]:
    return [(told.due, told.trigger, told.outcome) for told in story.history(name)]


# time zones


def test_case_11_another_zone_of_the_project_fires_nothing(story: DueStory) -> None:
    """The ledger puts the project's zone into the row."""
    slot = story.write(schedule="30 11 * * *")
    story.write(time_zone="America/New_York")

    assert story.history() == []
    assert slot.dues is not None
    assert slot.dues.next == moment("2026-03-02 11:30", "America/New_York")


def test_case_20_new_rules_of_a_zone_count_from_the_next_reload_on(
    story: DueStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zoneinfo

    at_half_past_eight, at_three = moment("2026-03-02 20:30"), moment("2026-03-02 15:00")
    files = {name: zone_file(name) for name in ("UTC", "Asia/Kolkata")}
    (tmp_path / "Test").mkdir()
    zone = tmp_path / "Test" / "Zone"
    zone.write_bytes(files["UTC"])
    monkeypatch.setattr(zoneinfo, "TZPATH", zoneinfo.TZPATH)
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        slot = story.write(schedule="30 20 * * *", time_zone="Test/Zone")
        zone.write_bytes(files["Asia/Kolkata"])
        story.pass_time(60)
        assert slot.next_start_wall == at_half_past_eight

        story.life.calendar.read_zones_again()
        story.settle()

        assert slot.next_start_wall == at_three
        assert story.life.alarm.moment == slot.next_start_wall
    finally:
        zoneinfo.reset_tzpath()
        clear_zone_cache()


def zone_file(name: str) -> bytes:
    import zoneinfo

    return next(path for root in zoneinfo.TZPATH if (path := Path(root, name)).is_file()).read_bytes()


def test_case_21_a_moment_that_is_none_by_the_new_rules_is_not_run_for(story: DueStory) -> None:
    """The zone of a row changes under the same name: what lies in the heap by the old rules is not taken on trust."""
    slot = story.write(schedule="30 12 * * *")
    story.life.calendar._timetable._parse = lambda text, _: parse(text, "Asia/Kolkata")
    story.life.calendar.recompute()
    story.settle()
    story.go_to("2026-03-02 13:00")

    assert story.history() == []
    assert slot.next_start_wall == moment("2026-03-03 07:00")


# restart, downtime, suspend


def down(story: DueStory, seconds: float, **row: Any) -> None:
    """Write a row, end the daemon, and begin it again after some time."""
    story.write(**row)
    story.shut_down()
    story.clock.advance(seconds)
    story.boot()


def test_case_22_down_over_one_due_makes_up_for_it_once(story: DueStory) -> None:
    down(story, 1000, schedule="10 12 * * *", start_within=600)
    story.end()
    story.pass_time(3600)

    assert story.history() == [Told("02 12:10:00", 400.0, "catch_up", "finished", 0)]


def test_case_23_down_over_many_dues_runs_for_the_latest_and_says_how_many_were_missed(story: DueStory) -> None:
    down(story, 500 * 60 + 10, schedule="* * * * *")
    story.end()

    assert story.history() == [
        Told("02 12:01:00", 0.0, "schedule", "missed", 499),
        Told("02 20:20:00", 10.0, "catch_up", "finished", 0),
    ]
    [told] = story.events("job.missed")
    assert (told["count"], told["last"]) == (499, "2026-03-02T20:19:00Z")
    assert told["reason"] == "the daemon was not running"


@pytest.mark.parametrize(
    ("down_s", "reason"),
    [
        (0, "the daemon had not read its row yet"),
        (600, "the daemon was not running, and then it had not read its row yet"),
    ],
)
def test_case_23_a_daemon_that_ran_and_did_not_reach_the_database_is_not_said_to_have_been_down(
    story: DueStory, down_s: float, reason: str
) -> None:
    story.write(schedule="* * * * *", start_within=1.0)
    story.kill()
    story.clock.advance(down_s)
    story.boot(without_database=610)

    assert [event["reason"] for event in story.events("job.missed")] == [reason]


def test_case_24_down_for_longer_than_start_within_misses_and_goes_on(story: DueStory) -> None:
    down(story, 40 * 86400, schedule="10 12 * * *", start_within=600)
    assert [(told.outcome, told.missed) for told in story.history()] == [("missed", 40)]
    assert story.slot().is_resting
    story.go_to("2026-04-11 12:10:01")

    assert story.is_running
    assert story.slot().child is not None
    assert story.slot().child.trigger == Trigger.SCHEDULE  # type: ignore[union-attr]


def test_case_25_a_restart_right_after_a_run_does_not_run_it_again(story: DueStory) -> None:
    story.write(schedule="1 12 * * *")
    story.pass_time(61)
    story.end()
    story.shut_down()
    story.boot()
    story.pass_time(3600)

    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


@pytest.mark.parametrize(("restart", "again"), [(Restart.ON_FAILURE, True), (Restart.NEVER, False)])
@pytest.mark.parametrize("killed", [False, True], ids=["26", "27"])
def test_case_26_27_an_end_of_the_daemon_in_the_middle_of_a_run(
    story: DueStory, restart: Restart, again: bool, killed: bool
) -> None:
    story.write(schedule="1 12 * * *", restart=restart)
    story.pass_time(65)
    story.kill() if killed else story.shut_down()
    story.clock.advance(30)
    story.boot()

    assert story.is_running is again
    if again:
        story.end()
    cut = "" if killed else "stopped"
    made_up_for = [("02 12:01:00", "catch_up", "finished")]
    assert outcomes(story) == [("02 12:01:00", "schedule", cut), *(made_up_for if again else [])]


def test_case_26_a_run_that_was_cut_off_too_long_ago_is_left(story: DueStory) -> None:
    story.write(schedule="1 12 * * *", start_within=60)
    story.pass_time(65)
    story.shut_down()
    story.clock.advance(600)
    story.boot()

    assert story.slot().is_resting
    assert outcomes(story) == [("02 12:01:00", "schedule", "stopped")]


def test_case_27_a_run_that_had_ended_is_not_run_again_after_a_kill(story: DueStory) -> None:
    story.write(schedule="1 12 * * *")
    story.pass_time(65)
    story.end()
    story.kill()
    story.boot()

    assert story.slot().is_resting
    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


def test_case_28_a_machine_that_sleeps_over_dues_runs_once_after(story: DueStory) -> None:
    story.write(schedule="*/5 * * * *")
    story.sleep(8 * 3600 + 20)
    story.end()
    story.pass_time(60)

    assert story.history() == [
        Told("02 12:05:00", 0.0, "schedule", "missed", 95),
        Told("02 20:00:00", 20.0, "catch_up", "finished", 0),
    ]


def test_case_29_two_hundred_rows_that_are_due_at_once_are_paced(story: DueStory) -> None:
    for number in range(200):
        story.write(f"job-{number}", schedule="10 12 * * *")
    story.shut_down()
    story.clock.advance(1000)
    story.births = False
    story.boot()
    assert len(story.life.awaited) == 2  # the test's places

    story.births = True
    for _ in range(100):
        story.settle()
    assert sum(slot.is_running for slot in story.life.slots) == 200


def test_case_30_a_database_that_is_out_delays_nothing(story: DueStory) -> None:
    """The journal has the records; only the ledger waits."""
    story.write(schedule="1 12 * * *")
    story.journal.lags = True
    story.pass_time(61)

    assert story.is_running
    story.end()
    story.journal.catch_up()
    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


def test_case_31_jobs_that_are_read_late_have_their_latest_due_made_up_for(story: DueStory) -> None:
    """The database is out when the daemon starts: what it has of slots and jobs comes later."""
    down(story, 100, schedule="* * * * *")
    assert outcomes(story)[-1] == ("02 12:01:00", "catch_up", "")
    story.end()
    story.shut_down()
    rows, story.rows = story.rows, {}
    story.boot()  # it hears of no job: the ledger cannot read them
    story.pass_time(600)
    story.kill()
    story.rows = rows
    story.boot()

    told = story.history()[-2:]
    assert [(row.due, row.outcome, row.missed) for row in told] == [
        ("02 12:02:00", "missed", 9),
        ("02 12:11:00", "", 0),
    ]


@pytest.mark.parametrize("schedule", ["* * * * *", "0 0 * * *"])
def test_case_32_a_row_of_which_nothing_is_known_waits_for_its_next_time(story: DueStory, schedule: str) -> None:
    slot = story.write(schedule=schedule)

    assert slot.is_resting
    assert slot.next_start_wall is not None
    assert story.history() == []


def test_case_33_a_year_without_a_daemon_is_settled_in_milliseconds() -> None:
    begin = moment("2025-03-02 12:00")
    times = parse("* * * * *", "Europe/Berlin")
    took = []
    for _ in range(5):
        before = time.thread_time()
        settled = settle(times, begin, begin + 365 * 86400 + 10, 600)
        took.append(time.thread_time() - before)

    assert settled.missed is not None
    assert settled.missed.count == 365 * 24 * 60 - 1
    assert settled.due is not None
    assert min(took) < 0.1


def test_case_34_every_six_hours_with_a_restart_each_day_runs_four_times_a_day(story: DueStory) -> None:
    story.write(schedule="every 6 h")
    for _ in range(3):
        for _ in range(4):
            story.pass_time(6 * 3600)
            story.end()
        story.shut_down()
        story.clock.advance(60)
        story.boot()

    assert len(story.history()) == 12
    assert {told.due[3:] for told in story.history()} == {"00:00:00", "06:00:00", "12:00:00", "18:00:00"}


def test_case_35_an_interval_does_not_drift_by_the_length_of_a_run(story: DueStory) -> None:
    story.write(schedule="every 15 min")
    for _ in range(8):
        story.pass_time(15 * 60 - 100 if story.history() else 15 * 60)
        story.pass_time(100)
        story.end()

    assert {told.late for told in story.history()} <= {0.0}
    assert {told.due[6:] for told in story.history()} == {"00:00", "15:00", "30:00", "45:00"}


def test_case_36_a_memory_from_the_future_is_put_right_and_said_once(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    story.write("two", schedule="* * * * *")
    story.shut_down()
    for key, row in story.journal.rows.items():
        if key[0] == "slot" and row is not None:
            row["settled_until"] = moment("2026-04-01 00:00")
    story.boot()
    story.pass_time(60)

    assert [told.due for told in story.history()] == ["02 12:01:00"]
    assert len(story.events("calendar.corrected")) == 1


# the clock


def test_case_37_a_clock_set_forward_runs_once_for_what_it_skipped(story: DueStory) -> None:
    story.write(schedule="*/10 * * * *")
    story.set_clock(7200 + 5)
    story.end()
    story.pass_time(30)

    assert story.history() == [
        Told("02 12:10:00", 0.0, "schedule", "missed", 11),
        Told("02 14:00:00", 5.0, "schedule", "finished", 0),
    ]


def test_case_38_a_clock_set_back_by_minutes_repeats_nothing(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    for _ in range(5):
        story.pass_time(60)
        story.end()
    story.set_clock(-600)
    assert story.slot().is_resting
    assert story.slot().next_start_wall == moment("2026-03-02 12:06")
    for _ in range(10):
        story.pass_time(60)
    assert len(story.history()) == 5
    story.pass_time(60)

    assert story.is_running
    assert [told.due for told in story.history()] == [f"02 12:0{minute}:00" for minute in range(1, 7)]


def test_case_39_a_clock_set_back_by_days_is_taken_for_right(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    story.pass_time(60)
    story.end()
    story.set_clock(-3 * 86400)
    story.pass_time(60)

    assert story.is_running
    assert len(story.events("calendar.corrected")) == 1


def test_case_39_a_schedule_that_has_run_out_goes_on_when_its_clock_was_wrong(story: DueStory) -> None:
    story.set_clock(3 * 86400)
    story.write(schedule="at 2026-03-05 12:01")
    story.pass_time(61)
    story.end()
    assert story.slot().state is State.DONE
    story.set_clock(-3 * 86400)

    assert story.slot().is_resting
    assert story.slot().next_start_wall == moment("2026-03-05 12:01")


def test_case_40_an_alarm_that_rings_early_does_nothing_yet(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    story.pass_time(59.998)
    story.life.alarm.call()
    story.settle()
    assert story.history() == []
    assert story.life.alarm.moment == moment("2026-03-02 12:01")
    story.pass_time(0.002)
    story.end()
    story.life.alarm.call()
    story.settle()

    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


def test_case_41_a_run_begins_at_its_second(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *")
    story.pass_time(60)

    assert slot.child is not None
    assert slot.child.born_wall == pytest.approx(moment("2026-03-02 12:01"), abs=0.01)


# edits


def test_case_42_enabling_a_row_waits_for_its_next_time(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *", enabled=False)
    story.pass_time(600)
    story.write(enabled=True)

    assert slot.is_resting
    assert slot.next_start_wall == moment("2026-03-02 12:11")
    assert story.history() == []


def test_case_43_rows_disabled_in_bulk_rest_no_more(story: DueStory) -> None:
    """What the admin's action or ``.update()`` has changed comes by the poll, which tells each row."""
    names = ["one", "two", "three"]
    for name in names:
        story.write(name, schedule="* * * * *")
    for name in names:
        story.write(name, enabled=False)
    story.pass_time(120)
    assert {story.slot(name).state for name in names} == {State.STOPPED}
    assert {story.slot(name).next_start_wall for name in names} == {None}
    for name in names:
        story.write(name, enabled=True)
    story.pass_time(60)

    assert [len(story.history(name)) for name in names] == [1, 1, 1]


def test_case_44_an_edit_of_something_else_keeps_the_due(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *")
    story.pass_time(30)
    story.write(significant=True, kwargs={"depth": 2})

    assert slot.is_resting
    assert slot.next_start_wall == moment("2026-03-02 12:01")
    assert story.history() == []


def test_case_45_an_edit_right_before_the_due_counts(story: DueStory) -> None:
    story.write(schedule="1 12 * * *")
    story.pass_time(59)
    story.write(schedule="5 12 * * *")
    story.pass_time(60)
    assert story.history() == []
    story.pass_time(200)

    assert [told.due for told in story.history()] == ["02 12:05:00"]


@pytest.mark.parametrize("waits", ["for a process", "in backoff"])
def test_case_45_an_edit_of_the_times_takes_back_what_has_not_begun(story: DueStory, waits: str) -> None:
    story.births = waits == "in backoff"
    slot = story.write(schedule="1 12 * * *", backoff_initial=50.0, backoff_max=60.0)
    story.pass_time(61)
    if waits == "in backoff":
        story.end(end=FAILED)
        story.write(max_restarts=None)
        story.end(end=FAILED)
        assert slot.is_in_backoff
    story.write(schedule="5 12 * * *")
    story.births = True
    story.pass_time(100)

    assert slot.is_resting
    assert slot.next_start_wall == moment("2026-03-02 12:05")
    assert {told.due for told in story.history()} == {"02 12:01:00"}


def test_case_46_an_edit_of_the_schedule_leaves_its_run_alone(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *")
    story.pass_time(60)
    run = slot.child
    story.write(schedule="5 12 * * *")
    story.pass_time(100)

    assert slot.child is run
    assert slot.is_running
    story.end()
    assert slot.next_start_wall == moment("2026-03-02 12:05")


def test_case_47_an_edit_of_the_arguments_is_for_the_next_run(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *", kwargs={"depth": 1})
    story.pass_time(60)
    run = slot.child
    story.write(kwargs={"depth": 2})
    story.pass_time(10)
    assert slot.child is run
    story.end()
    story.pass_time(50)

    assert slot.spec.kwargs == {"depth": 2}
    assert [told.outcome for told in story.history()] == ["finished", ""]


def test_case_48_edits_of_another_row_put_nothing_off(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    for second in range(60):
        story.pass_time(1)
        story.write("other", schedule="@daily", backoff_max=60.0 + second)

    assert [told.due for told in story.history()] == ["02 12:01:00"]
    assert story.history("other") == []


def test_case_49_a_row_that_is_deleted_ends_its_run_and_is_gone(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *")
    story.pass_time(60)
    story.delete()
    assert slot.is_stopping
    assert slot.child is not None
    assert slot.child.asked
    story.end(end=ExitStatus(signal=15))
    story.pass_time(600)

    assert outcomes(story) == [("02 12:01:00", "schedule", "stopped")]
    assert story.life.slots == []
    assert story.life.alarm.moment is None


def test_case_50_a_renamed_job_has_its_memory(story: DueStory) -> None:
    """Between two lives of the daemon; the row's number tells that it is the same."""
    story.write(schedule="*/5 * * * *")
    story.pass_time(300)
    story.end()
    story.shut_down()
    story.rows["new"] = story.rows.pop("job")._replace(name="new")
    story.clock.advance(310)
    story.boot()

    assert [(told.due, told.trigger) for told in story.history("new")] == [("02 12:10:00", "catch_up")]


def test_case_51_a_broken_row_is_refused_by_itself(story: DueStory) -> None:
    story.write("bad", problem="no such target", schedule="* * * * *")
    story.write(schedule="* * * * *")
    story.pass_time(60)

    assert story.is_running
    assert story.slot("bad").is_parked
    assert [told.outcome for told in story.history("bad")] == ["missed"]


def test_case_52_rows_of_the_same_times_are_independent(story: DueStory) -> None:
    one, two = (story.write(name, schedule="* * * * *") for name in ("one", "two"))
    story.write("one", enabled=False)
    story.pass_time(60)

    assert (one.state, two.state) == (State.STOPPED, State.RUNNING)


def test_case_53_a_single_moment_in_the_past_is_done_at_once(story: DueStory) -> None:
    slot = story.write(schedule="at 2026-03-01 12:00")

    assert slot.state is State.DONE
    assert explain(slot) == "its schedule, “at 2026-03-01 12:00”, has no further time"


def test_case_53_a_single_moment_that_is_missed_is_said_and_done(story: DueStory) -> None:
    down(story, 3600, schedule="at 2026-03-02 12:05", start_within=60)

    assert story.slot().state is State.DONE
    assert story.history() == [Told("02 12:05:00", 0.0, "schedule", "missed", 1)]


def test_case_54_a_single_moment_runs_once_and_stays_to_be_seen(story: DueStory) -> None:
    story.write(schedule="at 2026-03-02 12:05")
    story.pass_time(301)
    story.end()
    assert story.slot().state is State.DONE
    story.shut_down()
    story.boot()
    story.pass_time(3600)

    assert story.slot().state is State.DONE
    assert outcomes(story) == [("02 12:05:00", "schedule", "finished")]


# overlap and length


def test_case_56_skip_misses_what_comes_due_during_a_run(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.SKIP)
    story.pass_time(150)
    story.end()
    assert story.slot().is_resting

    assert outcomes(story) == [("02 12:01:00", "schedule", "finished"), ("02 12:02:00", "schedule", "missed")]
    [told] = story.events("job.missed")
    assert told["reason"] == "the run before it goes on, and its row's overlap is “skip”"


def test_case_57_queue_keeps_one_and_misses_the_others(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.QUEUE)
    story.pass_time(60 + 10 * 60 + 10)
    story.end()

    assert story.is_running
    assert story.history() == [
        Told("02 12:01:00", 0.0, "schedule", "finished", 0),
        Told("02 12:02:00", 0.0, "schedule", "missed", 9),
        Told("02 12:11:00", 10.0, "schedule", "", 0),
    ]


def test_case_58_replace_asks_waits_kills_and_begins_anew(story: DueStory) -> None:
    slot = story.write(schedule="* * * * *", overlap=Overlap.REPLACE, stop_timeout=5.0)
    story.pass_time(120)
    assert slot.child is not None
    first = slot.child
    assert (slot.is_stopping, first.asked, first.killed) == (True, True, False)
    story.pass_time(20)
    assert first.killed
    story.end(end=KILLED)

    assert story.is_running
    assert outcomes(story) == [("02 12:01:00", "schedule", "killed"), ("02 12:02:00", "schedule", "")]


def test_case_59_a_stuck_run_is_said_at_each_due(story: DueStory) -> None:
    story.write(schedule="* * * * *")
    story.pass_time(60 * 6)

    assert len(story.events("job.missed")) == 5
    assert [(told.outcome, told.missed) for told in story.history()] == [("", 0), ("missed", 5)]


def test_case_60_runs_that_are_longer_than_their_interval_are_seen(story: DueStory) -> None:
    story.write(schedule="* * * * *", overlap=Overlap.QUEUE)
    story.pass_time(60)
    for _ in range(6):
        story.pass_time(70)
        story.end()

    history = story.history()
    assert [told.late for told in history if told.outcome != "missed"] == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 0.0]
    assert sum(told.missed for told in history) == 1


def test_case_61_a_failed_run_is_tried_again_and_gives_way_to_the_next_due(story: DueStory) -> None:
    story.write(schedule="* * * * *", backoff_initial=100.0, backoff_max=200.0)
    story.pass_time(60)
    story.end(end=FAILED)
    story.end(end=FAILED)
    assert story.slot().is_in_backoff
    story.pass_time(60)

    assert outcomes(story) == [
        ("02 12:01:00", "schedule", "error"),
        ("02 12:01:00", "retry", "error"),
        ("02 12:02:00", "schedule", ""),
    ]


def test_case_62_days_of_failures_park_nothing(story: DueStory) -> None:
    story.write(schedule="0 12 * * *", max_restarts=0)
    for _ in range(7):
        story.pass_time(86400)
        story.end(end=FAILED)

    assert story.slot().is_resting
    assert [told.outcome for told in story.history()] == ["error"] * 7
    assert "failed 1 time; waits for its next time" in explain(story.slot())


def test_case_63_a_short_run_is_a_success(story: DueStory) -> None:
    story.write(schedule="* * * * *", start_grace=1.0)
    story.pass_time(60.04)
    story.end()

    assert story.slot().is_resting
    assert story.slot().history.failures == 0
    assert outcomes(story) == [("02 12:01:00", "schedule", "finished")]


def test_case_64_a_refusal_is_said_when_the_row_is_read(story: DueStory) -> None:
    slot = story.write(schedule="30 2 * * *")
    story.write(problem="no such target")

    assert slot.is_parked
    assert len(story.events("job.refused")) == 1


def trigger(story: DueStory) -> str:
    """Order a run now; return the answer."""
    life = story.life
    answers: list[Any] = []
    orders = Orders(life.loop, life.stack_dumps, life.slot_set, life.lifecycle, life.gate, lambda: "", no_seats())
    orders.carry_out("trigger", ["job"], answers.append, wait=False, by="ada")
    story.settle()
    return str(answers)


def test_case_65_a_run_that_was_asked_for_moves_no_schedule(story: DueStory) -> None:
    slot = story.write(schedule="5 12 * * *")
    story.pass_time(60)
    trigger(story)
    assert story.is_running
    story.end()
    assert slot.next_start_wall == moment("2026-03-02 12:05")
    story.pass_time(240)

    assert outcomes(story) == [("02 12:01:00", "operator", "finished"), ("02 12:05:00", "schedule", "")]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE])
def test_case_65_a_run_that_is_asked_for_during_a_run_does_as_the_overlap_says(
    story: DueStory, overlap: Overlap
) -> None:
    story.write(schedule="5 12 * * *", overlap=overlap)
    trigger(story)
    story.pass_time(10)
    answer = trigger(story)
    assert ("its row's overlap is “skip”" in answer) is (overlap is Overlap.SKIP)
    story.end()

    queued = [("02 12:00:10", "operator", "")]
    assert outcomes(story) == [("02 12:00:00", "operator", "finished"), *(queued if overlap is Overlap.QUEUE else [])]
    assert story.events("job.missed") == []


def test_case_66_a_run_of_a_disabled_row_is_refused_with_the_reason(story: DueStory) -> None:
    story.write(schedule="5 12 * * *", enabled=False)

    assert "it is disabled: enable its row, or run it here with “workerd once”" in trigger(story)
    assert story.history() == []


def test_a_start_that_comes_too_late_gives_its_turn_to_others(story: DueStory) -> None:
    """Each of them is late at its turn, and has no further time: none may keep its place among those that load."""
    always = {"schedule": "", "restart": Restart.ALWAYS}
    story.births = False
    for number in range(2):
        story.write(f"slow-{number}", **always)
    late = [
        story.write(f"once-{number}", schedule="at 2026-03-02 12:00:05", start_within=5.0).spec.name
        for number in range(6)
    ]
    story.pass_time(20)
    assert {story.slot(name).state for name in late} == {State.WAITING}
    story.births = True
    story.settle()
    assert {story.slot(name).state for name in late} == {State.DONE}
    assert {story.history(name)[0].outcome for name in late} == {"missed"}

    assert story.write("next", **always).is_running
