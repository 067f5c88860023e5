"""What an edit of a row changes: no more than it names."""

import itertools
from typing import Any

import pytest

from workerd.daemon.rules.plan import Plan, plan
from workerd.wire.spec import RESTARTING_FIELDS, JobSpec

JOB = JobSpec("feed", target="shop.jobs.feed", processes=3)
CHANGES: dict[str, Any] = {
    "id": 7,
    "target": "shop.jobs.other",
    "command": "clearsessions",
    "kwargs": {"depth": 2},
    "enabled": False,
    "restart": "never",
    "backoff_initial": 1.0,
    "backoff_max": 9.0,
    "max_restarts": 5,
    "restart_window": 5.0,
    "start_grace": 5.0,
    "start_timeout": 5.0,
    "signals_ready": True,
    "heartbeat_timeout": 5.0,
    "heartbeat": "explicit",
    "stop_signal": "INT",
    "stop_timeout": 5.0,
    "max_memory": 5.0,
    "max_age": 5.0,
    "significant": True,
    "nice": 5,
    "schedule": "@daily",
    "time_zone": "Europe/Berlin",
    "start_within": 5.0,
    "overlap": "queue",
    "spread": 5.0,
    "environment": {"QUEUE": "mail"},
    "working_directory": "/srv/shop",
    "umask": "027",
    "starts_after": ["bridge"],
    "scope": "fleet",
    "where": "zone=a",
    "takeover_after": 60.0,
    "without_database": "go_on",
    "movable": True,
    "labels": "team=billing",
}


def test_a_new_row_adds_its_slots() -> None:
    assert plan(None, JOB) == Plan(added=(0, 1, 2))


def test_a_deleted_row_dooms_its_slots() -> None:
    assert plan(JOB, None) == Plan(doomed=(0, 1, 2))


def test_no_change_changes_nothing() -> None:
    assert plan(JOB, JOB._replace()) == Plan()


def test_more_processes_add_only_the_new_slots() -> None:
    assert plan(JOB, JOB._replace(processes=5)) == Plan(added=(3, 4), edited=(0, 1, 2))


def test_fewer_processes_doom_only_the_last_slots() -> None:
    assert plan(JOB, JOB._replace(processes=1)) == Plan(edited=(0,), doomed=(1, 2))


def test_every_field_that_can_change_is_tried_here() -> None:
    assert set(CHANGES) == set(JobSpec._fields) - {"name", "processes"}


@pytest.mark.parametrize("field", CHANGES)
def test_only_what_is_a_new_program_restarts(field: str) -> None:
    now = JOB._replace(**{field: CHANGES[field]})

    assert plan(JOB, now) == Plan(
        edited=(0, 1, 2),
        restarting=field in {*RESTARTING_FIELDS, "schedule"},
        rescheduled=field in {"schedule", "time_zone", "spread"},
    )


@pytest.mark.parametrize(("line", "restarting"), [("shard --of {processes}", True), ("shard {index}", False)])
def test_a_command_that_has_their_number_restarts_where_it_changes(line: str, *, restarting: bool) -> None:
    job = JobSpec("feed", command=line, processes=3)

    assert plan(job, job._replace(processes=2)) == Plan(edited=(0, 1), doomed=(2,), restarting=restarting)
    assert plan(job, job._replace(processes=4)) == Plan(edited=(0, 1, 2), added=(3,), restarting=restarting)


def test_only_the_two_placeholders_are_replaced_wherever_they_stand() -> None:
    line = """shard{index} --part={index}/{processes} '{"index": {}, "a": "{ index }", "b": "{Index}"}'"""

    assert JobSpec("feed", command=line, processes=12).for_slot(10).command == (
        """shard10 --part=10/12 '{"index": {}, "a": "{ index }", "b": "{Index}"}'"""
    )


def test_a_process_that_runs_always_ends_when_its_row_is_given_times_and_no_other_edit_of_times_ends_one() -> None:
    daily, hourly = JOB._replace(schedule="@daily"), JOB._replace(schedule="@hourly")

    assert [plan(*rows).restarting for rows in [(JOB, daily), (daily, hourly), (daily, JOB)]] == [True, False, False]


COUNTS = [None, 0, 1, 2, 5]


@pytest.mark.parametrize(("was", "now"), list(itertools.product(COUNTS, COUNTS)))
def test_what_was_and_what_is_differ_by_the_plan(was: int | None, now: int | None) -> None:
    rows = [None if count is None else JOB._replace(processes=count) for count in (was, now)]
    changes = plan(*rows)
    before, after = set(range(was or 0)), set(range(now or 0))

    assert (before | set(changes.added)) - set(changes.doomed) == after
    assert set(changes.edited) <= before & after
