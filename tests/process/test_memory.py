"""A child that grows beyond its limit is replaced, in time and with its peak on the run's row; nobody else is."""

import pytest

from tests.harness.waiting import eventually

from .faults.shared import Case, case, daemon, moment, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
SOME_S = 10.0
"""More than a busy machine keeps a process waiting for its turn."""


def test_one_that_grows_slowly_is_asked_to_go_at_its_limit(case: Case) -> None:
    case.start("grow", kwargs={"mib_a_turn": 1, "turns": 40, "pause": 0.5}, max_memory=24, stop_timeout=5)

    over, end = case.event("child.over_memory", within=40), case.event("child.exited")

    assert 24 < over["memory_mib"] < 24 * 1.25, "near its limit it is looked at every second"
    assert (over["limit_mib"], end["outcome"]) == (24, "over_memory")
    assert "MiB, over its limit of 24 MiB" in end["reason"]
    run = case.row(end["run"])
    assert run.outcome == "over_memory"
    assert run.peak_memory is not None
    assert run.peak_memory >= over["memory_mib"] - 0.1


def test_one_that_grows_at_once_is_killed_at_once(case: Case) -> None:
    """Far above the limit there is no time to ask; seen at the next look, at most ten seconds later."""
    case.start("grow", kwargs={"mib_a_turn": 160, "turns": 1, "pause": 0.5}, max_memory=32)
    born = case.event("child.born")

    over, end = case.event("child.over_memory", within=30), case.event("child.exited")

    assert moment(over) - moment(born) < 10 + SOME_S
    assert (end["outcome"], end["signal"]) == ("over_memory", "SIGKILL")
    assert moment(end) - moment(over) < SOME_S
    peak = case.row(end["run"]).peak_memory
    assert peak is not None
    assert over["memory_mib"] - 0.1 <= peak < 200, "it may be seen, and ended, while it still grows"


def test_what_was_shared_at_birth_counts_for_nobody(case: Case) -> None:
    """A Django child maps far more than this limit, and has next to nothing of its own."""
    case.start("be_busy", max_memory=8)
    case.event("child.ready")

    def is_looked_at() -> bool:
        memory = case.daemon.slot(case.name)["memory"]
        assert memory is not None
        return bool(0 <= memory < 8)

    eventually(is_looked_at, 30, "a look at its memory")
    case.project.edit_job(case.name, enabled=False)
    end = case.event("child.exited")
    peak = case.row(end["run"]).peak_memory
    assert peak is not None
    assert peak < 16, "the kernel counts what it read of files, too"
    assert case.events("child.over_memory") == []


def test_the_peak_is_on_every_run_s_row(case: Case) -> None:
    """Also where no limit is set, and for a run that is over before anybody looks."""
    case.start("grow_and_end", kwargs={"mib": 60})

    end = case.event("child.exited")

    peak = case.row(end["run"]).peak_memory
    assert peak is not None
    assert 55 < peak < 90


def test_an_old_child_is_recycled_within_a_tenth_of_its_age(case: Case) -> None:
    case.start("be_busy", max_age=2.0, restart="always", stop_timeout=0.2)

    recycled, end = case.event("child.recycled", within=30), case.event("child.exited")

    assert 2.0 * 0.9 - 0.1 <= moment(recycled) - moment(case.event("child.born")) <= 2.0 * 1.1 + 1.2 + SOME_S
    assert recycled["reason"].startswith("it is older than its longest life of 2 s")
    assert end["outcome"] == "recycled"
    case.daemon.wait_event("child.born", job=case.name, run=lambda run: run != end["run"])
    assert case.events("child.restart_scheduled") == []


def test_a_job_that_asks_for_a_successor_gets_one_at_once(case: Case) -> None:
    case.start("tests.process.bad_jobs.jobs.recycle_once", kwargs={"after": 0.3}, restart="always", max_restarts=0)

    end = case.event("child.exited")

    assert (end["outcome"], end["reason"], end["level"]) == ("recycled", "the job asked to be replaced", "info")
    assert case.row(end["run"]).outcome == "recycled"
    case.daemon.wait_event("child.born", job=case.name, run=lambda run: run != end["run"])
