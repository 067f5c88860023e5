"""Whatever a child does, its end is told as what it was: the event, the row, the outcome, and in time."""

import itertools
import os
import signal
import time
from typing import Any

import pytest

from tests.harness.daemon import Daemon, read_pid
from tests.harness.processes import Process
from tests.harness.project import Project
from tests.harness.waiting import eventually

from .faults.shared import Case, case, daemon, moment, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
BAD_JOBS = "tests.process.bad_jobs.jobs"
SOON_S = 10.0
"""More than a busy machine keeps a process waiting for its turn."""


@pytest.mark.parametrize(
    ("job", "kwargs", "outcome", "fields"),
    [
        ("finish", {}, "finished", {"exit_code": 0, "reason": "exit code 0", "level": "info"}),
        ("leave", {"code": 1}, "error", {"exit_code": 1, "reason": "exit code 1", "level": "error"}),
        ("leave_at_once", {"code": 7}, "error", {"exit_code": 7, "reason": "exit code 7", "level": "error"}),
        ("leave", {"code": 75}, "error", {"exit_code": 75, "level": "error"}),
        ("leave", {"code": 78}, "refused", {"exit_code": 78, "level": "error"}),
        ("die", {"number": signal.SIGSEGV}, "crashed", {"signal": "SIGSEGV", "reason": "killed by SIGSEGV"}),
        ("die", {"number": signal.SIGKILL}, "crashed", {"signal": "SIGKILL", "level": "error"}),
        ("die", {"number": signal.SIGABRT}, "crashed", {"signal": "SIGABRT", "reason": "killed by SIGABRT"}),
        ("interrupt_itself", {}, "crashed", {"signal": "SIGINT", "reason": "killed by SIGINT"}),
    ],
)
def test_an_end_is_told_as_what_it_was(
    case: Case, job: str, kwargs: dict[str, Any], outcome: str, fields: dict[str, Any]
) -> None:
    case.start(f"{BAD_JOBS}.{job}", kwargs=kwargs)

    end = case.event("child.exited")

    assert {"outcome": outcome, **fields} == {"outcome": end["outcome"], **{name: end.get(name) for name in fields}}
    run = case.row(end["run"])
    assert (run.outcome, run.exit_code, run.signal) == (outcome, end.get("exit_code"), end.get("signal") or "")
    assert (run.slot, run.pid, run.generation) == (case.name, end["pid"], 1)
    assert run.ended is not None
    assert abs(run.ended.timestamp() - moment(end)) < SOON_S


def test_sigkill_from_outside_is_perhaps_out_of_memory(case: Case) -> None:
    case.start(f"{BAD_JOBS}.idle")
    pid = case.event("child.ready")["pid"]

    os.kill(pid, signal.SIGKILL)

    end = case.event("child.exited")
    assert (end["outcome"], end["reason"]) == (
        "crashed",
        "killed by SIGKILL, not by workerd: perhaps out of memory (“dmesg” tells)",
    )


def test_an_exception_is_told_with_its_type_its_message_its_traceback_and_the_last_lines(case: Case) -> None:
    case.start("crash_after_lines", kwargs={"lines": 80})

    end = case.event("child.exited")
    failed = case.event("job.failed")

    assert (end["outcome"], end["exit_code"], end["reason"]) == ("error", 1, "LookupError: nothing there: ☃")
    assert failed["exception_type"] == "LookupError"
    run = case.row(end["run"])
    assert run.exception == "LookupError: nothing there: ☃"
    assert run.traceback.startswith("Traceback (most recent call last):\n")
    assert "in crash_after_lines\n" in run.traceback
    lines = run.last_lines.splitlines()
    assert len(lines) == 50
    assert "job.failed" in lines[-1]
    assert "printed 39" in lines[-3]


def test_a_c_extension_that_reads_nowhere_is_a_crash(case: Case) -> None:
    case.start("touch_nothing")

    end = case.event("child.exited")

    assert (end["outcome"], end["signal"]) == ("crashed", "SIGSEGV")
    assert case.row(end["run"]).outcome == "crashed"


def test_exit_75_waits_and_counts_as_no_failure(case: Case) -> None:
    """With ``max_restarts`` 0 the first failure would park."""
    case.start(f"{BAD_JOBS}.leave", kwargs={"code": 75}, restart="always", max_restarts=0, backoff_initial=0.2)

    for _ in range(3):
        scheduled = case.event("child.restart_scheduled")
        assert scheduled["failures"] == 0
        assert "exit code 75" in scheduled["reason"]

    assert case.daemon.slot(case.name)["state"] != "PARKED"
    eventually(lambda: len(case.events("child.exited")) >= 3, 30, "three exits")


def test_exit_78_parks_at_once_is_loud_and_an_edit_resumes(case: Case) -> None:
    case.start(f"{BAD_JOBS}.leave", kwargs={"code": 78}, restart="always")

    parked = case.event("child.parked")

    assert case.event("child.exited")["outcome"] == "refused"
    assert "78" in case.event("job.refused")["reason"]
    assert parked["reason"] == case.event("child.exited")["reason"] == "the job cannot run: job.refused says why"
    assert parked["level"] == "error"
    assert case.project.manage("workerd", "status").returncode == 1
    problem = case.project.jobs.filter(name=case.name).values_list("problem", flat=True)
    eventually(lambda: "78" in problem.get(), what="the problem on the job's row")
    case.project.edit_job(case.name, target=f"{BAD_JOBS}.idle", kwargs={})
    case.event("child.ready")
    eventually(lambda: problem.get() == "", what="a row without a problem")


def test_too_many_failures_park_until_resume(case: Case) -> None:
    case.start(f"{BAD_JOBS}.crash", restart="always", max_restarts=2, backoff_initial=0)

    parked = case.event("child.parked")

    assert parked["reason"].startswith("gave up after 3 failures within 10 min; last: RuntimeError: crashed on purpose")
    assert len(case.events("child.exited")) == 3
    since = case.daemon.log.position
    assert case.daemon.ask({"verb": "resume", "names": [case.name], "wait": False})["ok"]
    case.daemon.wait_event("child.exited", since=since, job=case.name)


@pytest.mark.parametrize("job", ["finish", "ask_to_be_replaced"])
def test_a_job_that_ends_well_at_once_is_started_once_a_second_at_most(case: Case, job: str) -> None:
    case.start(f"{BAD_JOBS}.{job}", restart="always", start_grace=0)
    eventually(lambda: len(case.events("child.born")) >= 3, 30, "three starts")
    starts = [moment(event) for event in case.events("child.born")]

    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) > 0.9


def test_term_ignored_ends_in_a_stack_and_a_kill_in_time(case: Case) -> None:
    case.start("be_busy", stop_timeout=0.6)
    run = case.event("child.ready")["run"]

    case.project.edit_job(case.name, enabled=False)

    asked, stack = case.event("child.stopping"), case.event("child.stack")
    killed, end = case.event("child.killed"), case.event("child.exited")
    assert (asked["signal"], asked["timeout_s"]) == ("SIGTERM", 0.6)
    assert "in be_busy" in stack["stack"]
    assert 0.6 <= moment(end) - moment(asked) < 0.6 + SOON_S
    assert moment(killed) - moment(asked) >= 0.6
    assert (end["outcome"], end["signal"]) == ("killed", "SIGKILL")
    assert end["reason"] == "it did not stop within 0.6 s"
    row = case.row(run)
    assert row.outcome == "killed"
    assert "in be_busy" in row.stack


@pytest.mark.parametrize("own_session", [False, True], ids=["in its group", "in a session of its own"])
def test_a_grandchild_left_behind_is_ended(case: Case, own_session: bool) -> None:
    """And what that one had started."""
    case.start("leave_a_child", kwargs={"path": str(case.path), "own_session": own_session})
    grandchild = read_pid(case.path)
    child = read_pid(case.path.with_name(f"{case.path.name}.parent"))

    end = case.event("child.exited")

    assert (end["outcome"], end["exit_code"]) == ("error", 3)
    eventually(lambda: not _lives(child), within=30, what="the end of the child's child")
    eventually(lambda: not _lives(grandchild), within=30, what="the end of its child")


@pytest.mark.parametrize("own_session", [False, True], ids=["in its group", "in a session of its own"])
def test_a_job_that_puts_itself_into_the_background_is_told_so(case: Case, daemon: Daemon, own_session: bool) -> None:
    kwargs = {"path": str(case.path), "own_session": own_session, "code": 0}
    case.start("leave_a_child", kwargs=kwargs)
    run = case.event("leftover.ended")["run"]

    def told() -> None:
        for reason in (daemon.slot(case.name)["reason"], case.row(run).reason):
            assert "; a process that it left in the background was ended (“" in reason
            assert reason.endswith("”): have the job stay in the foreground")

    eventually(told, 30, "the reason")
    assert case.row(run).reason.startswith("exit code 0; ")


def test_a_stranger_without_our_mark_is_let_be(case: Case, daemon: Daemon) -> None:
    case.start("leave_unmarked", kwargs={"path": str(case.path)})
    stranger = read_pid(case.path)

    case.event("child.exited")

    eventually(lambda: _parent(stranger) == daemon.pid, what="its adoption")
    time.sleep(0.2)  # it must go on to live: there is nothing to wait for
    assert _lives(stranger)
    os.kill(stranger, signal.SIGKILL)
    eventually(lambda: Process.look(stranger) is None, what="its reaping")


def test_a_page_damaged_by_its_job_harms_nobody(case: Case, daemon: Daemon) -> None:
    case.start("damage_the_page", kwargs={"path": str(case.path)}, max_memory=500)

    answers = eventually(lambda: case.path.exists() and case.path.read_text(), 10).splitlines()

    assert answers == ["Operation not permitted"] * 3
    time.sleep(1.2)  # the watchdog looks at it at least once
    assert daemon.slot(case.name)["state"] == "RUNNING"
    assert daemon.faults() == []


def _wait_for_successor(daemon: Daemon, pid: int) -> None:
    eventually(lambda: daemon.slot("beside")["pid"] not in (None, pid), what="a successor")


def test_a_child_whose_pipe_is_always_full_delays_no_other_s_restart(
    case: Case, project: Project, daemon: Daemon
) -> None:
    """Neither is it taken for hung, although most of what it says is not read yet."""
    case.start("flood", heartbeat_timeout=1.0)
    project.add_job("beside", "idle", backoff_initial=0)
    took = []
    for _ in range(5):
        pid = daemon.wait_state("beside", "RUNNING")["pid"]
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        _wait_for_successor(daemon, pid)
        took.append(time.monotonic() - killed)

    assert sorted(took)[2] < 2.0
    flooding = daemon.slot(case.name)
    assert (flooding["state"], flooding["restarts"]) == ("RUNNING", 0)
    project.jobs.filter(name="beside").delete()


def test_an_import_that_hangs_is_ended_and_shown(case: Case, daemon: Daemon) -> None:
    case.start("tests.process.faults.hanging_module.run", start_timeout=1.5)

    hung = case.event("child.hung")
    end = case.event("child.exited")

    born = case.event("child.born")
    assert 1.5 <= moment(hung) - moment(born) < 1.5 + SOON_S
    assert (end["outcome"], end["reason"]) == ("hung", "it was not ready within 1.5 s, its start timeout")
    assert "in wait_for_licence_server" in case.row(end["run"]).stack
    assert daemon.slot("workerd.ledger")["state"] == "RUNNING"


def test_an_import_that_crashes_the_interpreter_ends_its_own_child_alone(case: Case, daemon: Daemon) -> None:
    case.start("tests.process.faults.crashing_module.run", restart="always", backoff_initial=0.05)

    end = case.event("child.exited")

    assert (end["outcome"], end["signal"]) == ("crashed", "SIGSEGV")
    assert case.event("child.restart_scheduled")["failures"] >= 1
    assert daemon.events("forkserver.exited") == []


def _lives(pid: int) -> bool:
    process = Process.look(pid)
    return process is not None and not process.is_zombie


def _parent(pid: int) -> int:
    process = Process.look(pid)
    return process.parent if process else 0
