"""A row that is edited changes only what it names.

One daemon for all tests: each begins without a job, and looks at what was said since it began.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import BAD_JOBS, Project
from tests.harness.waiting import eventually

from .faults.shared import daemon, project

__all__ = ["daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def position(project: Project, daemon: Daemon) -> Iterator[int]:
    """Where the daemon's log stands as the test begins; the test's rows go with it."""
    yield daemon.log.position
    running, since = pids(daemon), daemon.log.position
    project.jobs.all().delete()
    for pid in running.values():
        daemon.wait_event("child.exited", within=WITHIN_S, since=since, pid=pid)
    wait_for_slots(daemon)
    project.marks.all().delete()


def pids(daemon: Daemon) -> dict[str, int]:
    """Return who runs, by slot; the daemon's own slots apart."""
    slots = daemon.picture()["slots"]
    return {slot["name"]: slot["pid"] for slot in slots if slot["state"] == "RUNNING" and not slot["builtin"]}


def wait_for_slots(daemon: Daemon, *names: str) -> dict[str, int]:
    """Return who runs as soon as exactly these slots do."""
    eventually(lambda: set(pids(daemon)) == set(names), WITHIN_S, f"just {names} running")
    return pids(daemon)


def wait_for_edit(daemon: Daemon, edit: Callable[[], Any]) -> None:
    """Edit rows, and return when the daemon has taken note."""
    since = daemon.log.position
    edit()
    daemon.wait_event("jobs.changed", within=WITHIN_S, since=since)


def test_more_processes_start_only_the_new_slots(project: Project, daemon: Daemon, position: int) -> None:
    """Those that run already go on, and learn how many they are now."""
    project.add_job("follow-processes", processes=2)
    before = wait_for_slots(daemon, "follow-processes:0", "follow-processes:1")

    project.edit_job("follow-processes", processes=4)

    after = wait_for_slots(daemon, *(f"follow-processes:{index}" for index in range(4)))
    assert {name: after[name] for name in before} == before
    for pid in after.values():
        daemon.wait_event("bad_job.processes", within=WITHIN_S, pid=pid, wanted=4, since=position)
    assert daemon.events("child.exited", job="follow-processes", since=position) == []


def test_fewer_processes_stop_only_the_last_slots(project: Project, daemon: Daemon, position: int) -> None:
    project.add_job("follow-processes", processes=4)
    before = wait_for_slots(daemon, *(f"follow-processes:{index}" for index in range(4)))

    project.edit_job("follow-processes", processes=2)

    after = wait_for_slots(daemon, "follow-processes:0", "follow-processes:1")
    assert after == {name: before[name] for name in after}
    ends = daemon.wait_events("child.exited", 2, within=WITHIN_S, job="follow-processes", since=position)
    assert {(end["slot"], end["outcome"]) for end in ends} == {
        ("follow-processes:2", "stopped"),
        ("follow-processes:3", "stopped"),
    }
    for pid in after.values():
        daemon.wait_event("bad_job.processes", within=WITHIN_S, pid=pid, wanted=2, since=position)
    eventually(lambda: project.slots.count() == 2, what="the last slots' rows to go")


def test_one_process_more_than_one_keeps_the_first(project: Project, daemon: Daemon) -> None:
    """Its slot has another name then, and still the same child."""
    project.add_job("idle")
    alone = wait_for_slots(daemon, "idle")

    project.edit_job("idle", processes=2)
    both = wait_for_slots(daemon, "idle:0", "idle:1")
    project.edit_job("idle", processes=1)

    assert both["idle:0"] == alone["idle"]
    assert wait_for_slots(daemon, "idle") == alone


@pytest.mark.backends("any")
def test_a_changed_limit_restarts_nothing(project: Project, daemon: Daemon, position: int) -> None:
    limits = {
        "backoff_initial": 3.0,
        "backoff_max": 90.0,
        "max_restarts": 7,
        "restart_window": 120.0,
        "restart": "on_failure",
        "start_grace": 2.0,
        "start_timeout": 40.0,
        "stop_timeout": 3.0,
        "heartbeat_timeout": 300.0,
        "max_memory": 4096.0,
        "max_age": 86400.0,
        "significant": True,
    }
    project.add_job("idle", processes=2)
    before = wait_for_slots(daemon, "idle:0", "idle:1")

    for field, value in limits.items():
        wait_for_edit(daemon, lambda: project.edit_job("idle", **{field: value}))  # noqa: B023 - called right there

        assert pids(daemon) == before, field
        assert daemon.events("child.exited", since=position) == [], field


def test_changed_kwargs_restart_that_job_alone(project: Project, daemon: Daemon, position: int) -> None:
    """The others keep their children, and the new one runs with the new arguments."""
    for name in ("first", "second"):
        project.add_job(name, "mark-and-stay".replace("-", "_"), kwargs={"text": "before"})
    before = wait_for_slots(daemon, "first", "second")

    project.edit_job("first", kwargs={"text": "after"})

    eventually(lambda: project.marks.filter(text="after").exists(), WITHIN_S, "the new arguments at work")
    after = wait_for_slots(daemon, "first", "second")
    assert (after["first"], after["second"]) == (project.marks.get(text="after").pid, before["second"])
    assert [end["outcome"] for end in daemon.events("child.exited", slot="first", since=position)] == ["stopped"]
    assert daemon.events("child.exited", slot="second", since=position) == []


def test_a_changed_target_restarts_that_job_alone(project: Project, daemon: Daemon) -> None:
    project.add_job("first", "idle")
    project.add_job("second", "idle")
    before = wait_for_slots(daemon, "first", "second")

    project.edit_job("first", target=f"{BAD_JOBS}.count")

    eventually(lambda: project.marks.filter(job="first").exists(), WITHIN_S, "the new target at work")
    after = wait_for_slots(daemon, "first", "second")
    assert after["first"] != before["first"]
    assert after["second"] == before["second"]


def test_a_disabled_job_stops_gracefully_and_comes_back_enabled(
    project: Project, daemon: Daemon, position: int
) -> None:
    project.add_job("idle", processes=2)
    wait_for_slots(daemon, "idle:0", "idle:1")

    project.edit_job("idle", enabled=False)
    wait_for_slots(daemon)
    ends = daemon.wait_events("child.exited", 2, within=WITHIN_S, since=position)
    project.edit_job("idle", enabled=True)

    assert {(end["outcome"], end["exit_code"]) for end in ends} == {("stopped", 0)}
    wait_for_slots(daemon, "idle:0", "idle:1")
    assert daemon.events("child.restart_scheduled", since=position) == []


def test_a_deleted_row_stops_its_job_and_keeps_its_history(project: Project, daemon: Daemon) -> None:
    """Its slots go, its runs stay, under the name that it had."""
    job = project.add_job("idle")
    project.add_job("other", "idle")
    before = wait_for_slots(daemon, "idle", "other")

    job.delete()

    assert wait_for_slots(daemon, "other")["other"] == before["other"]
    ended = project.runs.filter(job_name="idle", pid=before["idle"]).exclude(ended=None)
    eventually(ended.exists, WITHIN_S, "the run's end")
    run = ended.get()
    assert (run.outcome, run.exit_code) == ("stopped", 0)
    eventually(lambda: not project.slots.filter(job_name="idle").exists(), what="the slot's row to go")


def test_a_row_made_again_under_its_name_runs_again(project: Project, daemon: Daemon) -> None:
    project.add_job("idle").delete()
    wait_for_edit(daemon, lambda: project.add_job("idle"))
    first = wait_for_slots(daemon, "idle")

    project.jobs.all().delete()
    wait_for_slots(daemon)
    project.add_job("idle")

    assert wait_for_slots(daemon, "idle") != first


def test_a_renamed_row_is_another_job(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    first = wait_for_slots(daemon, "idle")

    project.jobs.update(name="renamed")

    second = wait_for_slots(daemon, "renamed")
    assert second["renamed"] != first["idle"]
