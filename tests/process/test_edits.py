"""A row that is edited changes only what it names, and is noticed however it was written."""

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from .harness import Daemon, Project, eventually
from .harness.project import ALIAS, VICTIMS

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
WITHIN_S = 20.0


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


def test_more_processes_start_only_the_new_slots(project: Project, daemon: Daemon) -> None:
    """Those that run already go on, and learn how many they are now."""
    project.add_job("follow-processes", processes=2)
    daemon.start()
    before = wait_for_slots(daemon, "follow-processes:0", "follow-processes:1")

    project.edit_job("follow-processes", processes=4)

    after = wait_for_slots(daemon, *(f"follow-processes:{index}" for index in range(4)))
    assert {name: after[name] for name in before} == before
    for pid in after.values():
        daemon.wait_event("victim.processes", within=WITHIN_S, pid=pid, wanted=4)
    assert daemon.events("child.exited", job="follow-processes") == []


def test_fewer_processes_stop_only_the_last_slots(project: Project, daemon: Daemon) -> None:
    project.add_job("follow-processes", processes=4)
    daemon.start()
    before = wait_for_slots(daemon, *(f"follow-processes:{index}" for index in range(4)))

    project.edit_job("follow-processes", processes=2)

    after = wait_for_slots(daemon, "follow-processes:0", "follow-processes:1")
    assert after == {name: before[name] for name in after}
    ends = daemon.wait_events("child.exited", 2, within=WITHIN_S, job="follow-processes")
    assert {(end["slot"], end["outcome"]) for end in ends} == {
        ("follow-processes:2", "stopped"),
        ("follow-processes:3", "stopped"),
    }
    for pid in after.values():
        daemon.wait_event("victim.processes", within=WITHIN_S, pid=pid, wanted=2)
    eventually(lambda: project.slots.count() == 2, what="the last slots' rows to go")


def test_one_process_more_than_one_keeps_the_first(project: Project, daemon: Daemon) -> None:
    """Its slot has another name then, and still the same child."""
    project.add_job("idle")
    daemon.start()
    alone = wait_for_slots(daemon, "idle")

    project.edit_job("idle", processes=2)
    both = wait_for_slots(daemon, "idle:0", "idle:1")
    project.edit_job("idle", processes=1)

    assert both["idle:0"] == alone["idle"]
    assert wait_for_slots(daemon, "idle") == alone


@pytest.mark.backends("any")
def test_a_changed_limit_restarts_nothing(project: Project, daemon: Daemon) -> None:
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
    daemon.start()
    before = wait_for_slots(daemon, "idle:0", "idle:1")

    for field, value in limits.items():
        wait_for_edit(daemon, lambda: project.edit_job("idle", **{field: value}))  # noqa: B023 - called right there

        assert pids(daemon) == before, field
        assert daemon.events("child.exited") == [], field


def test_changed_kwargs_restart_that_job_alone(project: Project, daemon: Daemon) -> None:
    """The others keep their children, and the new one runs with the new arguments."""
    for name in ("first", "second"):
        project.add_job(name, "mark-and-stay".replace("-", "_"), kwargs={"text": "before"})
    daemon.start()
    before = wait_for_slots(daemon, "first", "second")

    project.edit_job("first", kwargs={"text": "after"})

    eventually(lambda: project.marks.filter(text="after").exists(), WITHIN_S, "the new arguments at work")
    after = wait_for_slots(daemon, "first", "second")
    assert (after["first"], after["second"]) == (project.marks.get(text="after").pid, before["second"])
    assert [end["outcome"] for end in daemon.events("child.exited", slot="first")] == ["stopped"]
    assert daemon.events("child.exited", slot="second") == []


def test_a_changed_target_restarts_that_job_alone(project: Project, daemon: Daemon) -> None:
    project.add_job("first", "idle")
    project.add_job("second", "idle")
    daemon.start()
    before = wait_for_slots(daemon, "first", "second")

    project.edit_job("first", target=f"{VICTIMS}.count")

    eventually(lambda: project.marks.filter(victim="first").exists(), WITHIN_S, "the new target at work")
    after = wait_for_slots(daemon, "first", "second")
    assert after["first"] != before["first"]
    assert after["second"] == before["second"]


def test_a_disabled_job_stops_gracefully_and_comes_back_enabled(project: Project, daemon: Daemon) -> None:
    project.add_job("idle", processes=2)
    daemon.start()
    wait_for_slots(daemon, "idle:0", "idle:1")

    project.edit_job("idle", enabled=False)
    wait_for_slots(daemon)
    ends = daemon.wait_events("child.exited", 2, within=WITHIN_S)
    project.edit_job("idle", enabled=True)

    assert {(end["outcome"], end["exit_code"]) for end in ends} == {("stopped", 0)}
    wait_for_slots(daemon, "idle:0", "idle:1")
    assert daemon.events("child.restart_scheduled") == []


def test_a_deleted_row_stops_its_job_and_keeps_its_history(project: Project, daemon: Daemon) -> None:
    """Its slots go, its runs stay, under the name that it had."""
    job = project.add_job("idle")
    project.add_job("other", "idle")
    daemon.start()
    before = wait_for_slots(daemon, "idle", "other")

    job.delete()

    assert wait_for_slots(daemon, "other")["other"] == before["other"]
    ended = project.runs.filter(job_name="idle").exclude(ended=None)
    eventually(ended.exists, WITHIN_S, "the run's end")
    run = ended.get()
    assert (run.outcome, run.exit_code, run.pid) == ("stopped", 0, before["idle"])
    eventually(lambda: not project.slots.filter(job_name="idle").exists(), what="the slot's row to go")


def test_a_row_made_again_under_its_name_runs_again(project: Project, daemon: Daemon) -> None:
    project.add_job("idle").delete()
    daemon.start()
    wait_for_edit(daemon, lambda: project.add_job("idle"))
    first = wait_for_slots(daemon, "idle")

    project.jobs.all().delete()
    wait_for_slots(daemon)
    project.add_job("idle")

    assert wait_for_slots(daemon, "idle") != first


def test_a_renamed_row_is_another_job(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()
    first = wait_for_slots(daemon, "idle")

    project.jobs.update(name="renamed")

    second = wait_for_slots(daemon, "renamed")
    assert second["renamed"] != first["idle"]


def _update(project: Project, processes: int) -> None:
    project.jobs.update(processes=processes)


def _plain_sql(project: Project, processes: int) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("UPDATE workerd_job SET processes = %s", [processes])


@pytest.mark.parametrize("write", [_update, _plain_sql])
def test_an_edit_is_noticed_within_a_poll(
    project: Project, daemon: Daemon, write: Callable[[Project, int], None]
) -> None:
    """No signal of Django's tells of ``queryset.update()`` or of SQL; the ledger finds both."""
    project.settings["POLL_SECONDS"] = poll_seconds = 0.5
    project.add_job("idle")
    daemon.start()
    wait_for_slots(daemon, "idle")
    fastest = math.inf

    for processes in (2, 1, 2, 1, 2):
        written = time.monotonic()
        wait_for_edit(daemon, lambda: write(project, processes))  # noqa: B023 - called right there
        fastest = min(fastest, time.monotonic() - written)

    assert fastest <= poll_seconds  # the fastest of five: whatever else this machine does is not the ledger's
