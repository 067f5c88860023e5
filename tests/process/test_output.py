"""What a job writes, in the daemon's log: which stream, which level, which of several states of a line."""

import time

import pytest

from tests.harness.waiting import eventually

from .faults.shared import Case, case, daemon, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite")]
JOBS = "tests.process.bad_jobs.output"


@pytest.mark.backends("sqlite", "postgres", "mysql-mysqlclient")
@pytest.mark.parametrize("first", [0, 1, 3])
def test_a_job_that_closes_descriptors_keeps_its_database(case: Case, first: int) -> None:
    """None of our bytes comes into the connection that takes a number, and its beats are seen."""
    case.start(f"{JOBS}.query_without_descriptors", kwargs={"first": first}, heartbeat_timeout=3, heartbeat="explicit")
    run = case.event("child.ready")["run"]
    eventually(lambda: _note(case, run) in {f"turn {number}" for number in range(40, 400)}, 60, "its fortieth turn")
    case.project.edit_job(case.name, enabled=False)
    end = case.event("child.exited")

    assert (end["outcome"], end["exit_code"]) == ("stopped", 0)


def _note(case: Case, run: str) -> str:
    return next((slot["note"] for slot in case.daemon.picture()["slots"] if slot["run"] == run), "")


def test_half_a_line_of_a_program_swallows_no_event(case: Case) -> None:
    case.start(f"{JOBS}.leave_half_lines")
    half = case.event("child.output", line="50 %")
    event = case.event("an event")
    case.project.edit_job(case.name, enabled=False)
    error = case.event("child.output", line="an error")

    assert (half["stream"], event["level"], error["stream"]) == ("stdout", "error", "stderr")


def test_the_last_words_of_an_abort_are_kept_and_the_last_state_of_its_bar(case: Case) -> None:
    case.start(f"{JOBS}.show_progress_and_abort")
    end = case.event("child.exited")

    assert end["signal"] == "SIGABRT"
    assert case.row(end["run"]).last_lines.split("\n") == [f"2999 {'#' * 100}", "last words"]


def test_levels_are_the_projects(case: Case) -> None:
    case.start(f"{JOBS}.log_each_level")
    case.event("child.output", line="done")
    case.event("a error", logger="httpx")  # stdout and stderr are pipes of their own
    levels = [event["level"] for event in case.daemon.events() if event.get("logger") == "httpx"]

    assert levels == ["warning", "error"]


def test_each_way_of_printing_has_its_stream_and_the_level_that_the_line_names(case: Case) -> None:
    case.start(f"{JOBS}.print_each_way")
    end = case.event("child.exited")
    printed = [(event["stream"], event["level"], event["line"]) for event in case.events("child.output")]
    (record,) = case.events("", logger="shop")

    assert end["outcome"] == "finished", printed
    assert sorted(printed) == [
        ("stderr", "critical", '{"level":"fatal","msg":"program"}'),
        ("stderr", "error", "[ERROR] write"),
        ("stderr", "info", "done"),
        ("stderr", "warning", "WARNING: print"),
        ("stderr", "warning", "level=warn msg=command"),
        ("stdout", "debug", '{"level":20,"msg":"program"}'),
        ("stdout", "info", "INFO: print"),
        ("stdout", "info", "[INFO] write"),
        ("stdout", "info", "level=info msg=command"),
    ]
    assert (record["level"], record["event"]) == ("critical", "CRITICAL by the library: record")


def test_a_flood_of_short_lines_leaves_the_daemon_its_turns(case: Case) -> None:
    case.start(f"{JOBS}.flood")
    case.event("child.output", line="x")
    slowest = 0.0
    for _ in range(20):
        asked = time.monotonic()
        case.daemon.picture()
        slowest = max(slowest, time.monotonic() - asked)
    case.project.edit_job(case.name, enabled=False)
    case.event("child.exited", within=30)

    assert slowest < 10.0, "by bytes alone, without a bound of lines, one turn took 17 s"
