"""Whoever gives no sign of life is found in time, shown with the line where it stands, and replaced; nobody else is."""

import os
import re
import signal
import time
from typing import Any

import pytest

from tests.harness.lateness import Lateness
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.admin.jobs.silence import longest_silence
from workerd.daemon.slots.watchdog import UNCOUNTED

from .faults.shared import Case, case, daemon, moment, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
LIMIT_S = 0.8
SEEN_WITHIN_S = 0.1
SOME_S = 10.0
"""More than a busy machine keeps a process waiting for its turn."""
STALL_S = 30


def wait_for_another_to_hang(case: Case, seconds: float) -> None:
    """Return when a process that falls silent now was found: whoever is well has outlived so many seconds by then."""
    name = f"{case.name}-silent"
    row: dict[str, Any] = {"kwargs": {"path": f"{case.path}.silent"}, "restart": "never", "stop_timeout": 0.1}
    case.project.add_job(name, target="tests.process.faults.jobs.sleep_for_ever", heartbeat_timeout=seconds, **row)
    case.daemon.wait_event("child.hung", job=name)
    case.project.jobs.filter(name=name).delete()


@pytest.mark.parametrize(
    ("job", "stands"),
    [
        ("sleep_for_ever", [("sleep_for_ever", r"time\.sleep\(3600\)")]),
        ("spin", [("spin", "pass|while True:")]),
        ("match_for_ever", [("match_for_ever", "re.match")]),
        ("hold_the_gil", [("hold_the_gil", r"pause\(\)|while True:")]),
        ("deadlock", [("deadlock", "with second:"), ("take_second_then_first", "with first:")]),
        ("read_for_ever", [("read_for_ever", r"ours\.recv\(1\)")]),
        ("stop_itself", [("stop_itself", "SIGSTOP")]),
    ],
)
def test_a_hang_is_shown_with_function_and_line_ended_and_recorded(
    case: Case, job: str, stands: list[tuple[str, str]]
) -> None:
    case.start(job, kwargs={"path": str(case.path)}, heartbeat_timeout=LIMIT_S, restart="always", backoff_initial=0)

    hung, stack, end = case.event("child.hung"), case.event("child.stack"), case.event("child.exited")

    silent_s = moment(hung) - case.last_beat()
    assert silent_s >= LIMIT_S - 0.01
    assert hung["note"] == f"last beat of {case.name}"
    for function, line in stands:
        assert _stands_in(stack["stack"], function, line), stack["stack"]
    assert not re.search(r"/child/(call|run|main)\.py|manage\.py", stack["stack"]), "what has called the job is no news"
    assert (end["outcome"], end["reason"]) == ("hung", f"no sign of life for {LIMIT_S:g} s")
    assert moment(end) - moment(hung) < 0.5 + 1.0 + SOME_S, "stop_timeout, the dump, and some"
    run = case.row(end["run"])
    assert (run.outcome, run.note) == ("hung", f"last beat of {case.name}")
    assert run.stack == stack["stack"]
    case.daemon.wait_event("child.born", job=case.name, run=lambda other: other != end["run"])


def test_a_hang_is_seen_within_a_tenth_of_a_second_of_its_deadline(case: Case) -> None:
    """Counted from the last beat by the child's own clock; the median of five, and what a sleep here ends too late."""
    lateness, began = Lateness(), time.monotonic()
    lateness.begin()
    case.start("read_for_ever", kwargs={"path": str(case.path)}, processes=5, heartbeat_timeout=1.3)

    late = []
    for index in range(5):
        hung = case.event("child.hung", slot=f"{case.name}:{index}")
        late.append(moment(hung) - case.last_beat(index) - 1.3)

    lateness.end()
    assert min(late) >= -0.01
    assert sorted(late)[2] <= SEEN_WITHIN_S + lateness.since(began), late


def test_one_that_the_kernel_holds_has_no_stack_but_the_reason(case: Case) -> None:
    case.start("wait_uninterruptibly", kwargs={"path": str(case.path)}, heartbeat_timeout=LIMIT_S)

    stack, end = case.event("child.stack"), case.event("child.exited")

    assert stack["reason"] == "no stack, because it is in an uninterruptible wait of the kernel (state D)"
    assert end["outcome"] == "hung"
    assert case.row(end["run"]).stack == stack["reason"]


def test_one_that_became_another_program_is_not_sent_the_signal_that_would_end_it(case: Case) -> None:
    case.start("become_another_program", kwargs={"path": str(case.path)}, heartbeat_timeout=LIMIT_S)

    stack, end = case.event("child.stack"), case.event("child.exited")

    assert stack["reason"].startswith("no stack, because it does not catch the dump signal")
    assert (end["outcome"], end["signal"]) == ("hung", "SIGTERM")
    assert case.row(end["run"]).stack == stack["reason"]


def test_an_unmodified_command_that_stops_asking_is_found(case: Case) -> None:
    """Its queries are its signs of life: for three seconds they keep it, and then there are none."""
    case.start(command=f"poll_then_stall --polls 60 --path {case.path}", heartbeat_timeout=2.0)

    hung = case.event("child.hung", within=30)

    asked = float(case.path.read_text())
    assert 2.0 - 0.01 <= moment(hung) - asked < 2.0 + SOME_S
    assert _stands_in(case.event("child.stack")["stack"], "wait_for_ever", r"time\.sleep")
    end = case.event("child.exited")
    assert end["outcome"] == "hung"
    assert end["seconds"] > 3.0


@pytest.mark.parametrize("job", ["be_busy", "print_often", "query_often"])
def test_any_sign_of_life_keeps_a_child(case: Case, job: str) -> None:
    case.start(job, heartbeat_timeout=2.0)
    case.event("child.ready")

    wait_for_another_to_hang(case, 5.0)

    assert case.events("child.hung") == []
    assert case.daemon.slot(case.name)["state"] == "RUNNING"


@pytest.mark.parametrize("job", ["hang_beside_busy_processes", "become_a_busy_program"])
def test_what_is_not_its_own_keeps_nobody(case: Case, job: str) -> None:
    case.start(job, kwargs={"path": str(case.path)}, heartbeat_timeout=LIMIT_S)

    hung, end = case.event("child.hung"), case.event("child.exited")

    assert LIMIT_S - 0.01 <= moment(hung) - case.last_beat() < LIMIT_S + SOME_S
    assert end["reason"] == f"no sign of life for {LIMIT_S:g} s, {UNCOUNTED}"


@pytest.mark.parametrize("job", ["hang_beside_busy_processes", "become_a_busy_program"])
def test_what_is_not_its_own_keeps_whose_row_says_group(case: Case, job: str) -> None:
    case.start(job, kwargs={"path": str(case.path)}, heartbeat_timeout=LIMIT_S, heartbeat="group")
    case.event("child.ready")

    eventually(lambda: time.time() - case.last_beat() > 2.5 * LIMIT_S, what="a silence of its own beyond the limit")

    assert case.events("child.hung") == []
    assert case.daemon.slot(case.name)["state"] == "RUNNING"


def test_lines_and_queries_keep_nobody_whose_row_says_explicit(case: Case) -> None:
    case.start("query_often", heartbeat_timeout=LIMIT_S, heartbeat="explicit")

    assert case.event("child.hung")["timeout_s"] == LIMIT_S


def test_the_longest_silence_is_on_the_rows_of_the_run_and_its_slot(case: Case) -> None:
    job = case.start("fall_silent", kwargs={"seconds": 0.5}, restart="never")

    row = case.row(case.event("child.exited")["run"])

    assert row.longest_silence is not None
    assert 0.5 <= row.longest_silence < 0.5 + SOME_S
    eventually(lambda: longest_silence(job, case.project.jobs.db) == row.longest_silence, what="the slot's row")


def test_a_time_out_edited_while_it_hangs_acts_at_once(case: Case) -> None:
    case.start("sleep_for_ever", kwargs={"path": str(case.path)}, heartbeat_timeout=3600)
    case.event("child.ready")
    eventually(lambda: time.time() - case.last_beat() > LIMIT_S, what="a silence that is longer than the new limit")

    edited = time.time()
    case.project.edit_job(case.name, heartbeat_timeout=LIMIT_S)

    hung = case.event("child.hung")
    assert LIMIT_S <= moment(hung) - edited < LIMIT_S + SOME_S, "silence from before the limit was set does not count"
    assert hung["silent_s"] > 1.5 * LIMIT_S, "the silence is told whole, from its becoming ready on"
    assert len(case.events("child.born")) == 1, "it was not restarted for that"


def test_a_daemon_stopped_for_half_a_minute_ends_nobody_who_is_well(case: Case, project: Project) -> None:
    """One beats, one prints into a pipe that nobody reads, one queries; and one hangs indeed."""
    limits: dict[str, Any] = {"heartbeat_timeout": 2.0, "start_timeout": 5.0, "stop_timeout": 0.5}
    for job in ("be_busy", "print_often", "query_often"):
        project.add_job(f"{case.name}-{job}", target=f"tests.process.faults.jobs.{job}", **limits)
    case.start("sleep_for_ever", kwargs={"path": str(case.path)}, **(limits | {"heartbeat_timeout": 10.0}))
    names = [f"{case.name}-{job}" for job in ("be_busy", "print_often", "query_often")]
    before = {name: case.daemon.wait_state(name, "RUNNING")["pid"] for name in names}
    case.last_beat()

    os.kill(case.daemon.pid, signal.SIGSTOP)
    try:
        time.sleep(STALL_S)  # the length of the stop is what is tried
    finally:
        os.kill(case.daemon.pid, signal.SIGCONT)

    assert case.event("child.hung", within=30)["slot"] == case.name
    eventually(lambda: case.daemon.slot(case.name)["state"] == "DONE", what="the end of the one that hung")
    assert {name: case.daemon.slot(name)["pid"] for name in names} == before
    assert [event for event in case.daemon.events("child.hung") if event["job"] in names] == []
    for name in names:
        project.jobs.filter(name=name).delete()


def test_a_daemon_frozen_together_with_its_children_gives_them_their_time_again(case: Case) -> None:
    """As a container that is paused: nobody could beat."""
    case.start("be_busy", heartbeat_timeout=1.5)
    pid = case.event("child.ready")["pid"]
    for target in (case.daemon.pid, pid):
        os.kill(target, signal.SIGSTOP)
    time.sleep(4)  # the length of the stop is what is tried
    os.kill(case.daemon.pid, signal.SIGCONT)
    time.sleep(0.5)  # by how much the daemon wakes first is what is tried
    os.kill(pid, signal.SIGCONT)

    wait_for_another_to_hang(case, 2.0)

    assert case.events("child.hung") == []
    assert case.daemon.slot(case.name)["pid"] == pid


def _stands_in(stack: str, function: str, line: str) -> bool:
    """Whether a thread of the stack stands in ``function``, at a line of its source that looks like ``line``."""
    for path, number in re.findall(rf'File "([^"]+)", line (\d+) in {function}\b', stack):
        with open(path) as source:  # noqa: PTH123 - the path is faulthandler's
            if re.search(line, source.read().splitlines()[int(number) - 1]):
                return True
    return False
