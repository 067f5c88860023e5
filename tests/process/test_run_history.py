"""The history of runs: rows that say all there is to say, kept as long as asked and no longer."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.models import Run

from .faults.shared import Case, case, daemon, moment, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "mysql-mysqlclient")]
RETENTION_S = 3600
OLD, BATCH = 1200, 500


def test_a_run_s_row_says_all_there_is_to_say_while_it_runs_and_when_it_has_ended(case: Case) -> None:
    kwargs = {"path": str(case.path), "message": "out of ideas"}
    job = case.start("tests.process.bad_jobs.jobs.crash_when_told", kwargs=kwargs)
    born, ready = case.event("child.born"), case.event("child.ready")
    running = case.project.runs.filter(pk=born["run"]).exclude(ready=None)
    row = eventually(lambda: list(running.all()), 30, "the running run in the table")[0]
    assert (row.ended, row.outcome, row.exit_code, row.signal) == (None, "", None, "")
    case.path.touch()

    end = case.event("child.exited")

    row = case.row(end["run"])
    node = case.project.nodes.get()
    assert (row.job_id, row.job_name, row.slot, row.index) == (job.pk, case.name, case.name, 0)
    assert (row.node_id, row.node_name, row.generation, row.pid) == (node.pk, str(node), 1, born["pid"])
    assert (row.outcome, row.exit_code, row.signal) == ("error", 1, "")
    assert row.exception == "RuntimeError: out of ideas"
    assert row.traceback.rstrip().endswith("RuntimeError: out of ideas")
    assert "out of ideas" in row.last_lines
    assert (row.stack, row.note) == ("", "")
    for moment_of_row, event in ((row.born, born), (row.ready, ready), (row.ended, end)):
        assert moment_of_row is not None
        assert abs(moment_of_row.timestamp() - moment(event)) < 5.0
    assert row.peak_memory is not None


def test_a_good_end_needs_no_last_lines(case: Case) -> None:
    case.start("tests.process.bad_jobs.jobs.say", kwargs={"text": "all well"})
    case.event("child.output", line="all well")
    case.project.edit_job(case.name, enabled=False)

    end = case.event("child.exited")

    row = case.row(end["run"])
    assert (row.outcome, row.last_lines) == ("stopped", "")


def test_a_run_outlives_its_job(case: Case) -> None:
    case.start("tests.process.bad_jobs.jobs.idle")
    run = case.event("child.ready")["run"]

    case.project.jobs.filter(name=case.name).delete()

    row = case.row(run)
    assert (row.job_name, row.outcome) == (case.name, "stopped")


def test_what_ended_before_the_retention_is_deleted_a_batch_at_a_time(project: Project, daemon: Daemon) -> None:
    """What ended since stays, as does what has not ended, however old."""
    daemon.stop()
    now = datetime.now(UTC)
    past, recent = now - timedelta(seconds=2 * RETENTION_S), now - timedelta(seconds=RETENTION_S / 2)
    kept = [_run(ended=recent, born=past), _run(ended=None, born=past)]
    project.runs.bulk_create([*kept, *(_run(ended=past, born=past, name="old") for _ in range(OLD))])
    project.settings["RUN_RETENTION"] = RETENTION_S
    daemon.start(ready=False)
    old = project.runs.filter(job_name="old")
    seen = []

    def all_are_gone() -> bool:
        seen.append(old.count())
        return seen[-1] == 0

    eventually(all_are_gone, 30, "the end of the old runs")
    assert {OLD - BATCH, OLD - 2 * BATCH} <= set(seen), "batches"
    assert project.runs.filter(pk__in=[run.pk for run in kept]).count() == 2
    daemon.wait_event("daemon.ready")


def _run(name: str = "kept", **columns: object) -> Run:
    return Run(id=uuid.uuid4(), job_name=name, slot=name, **columns)
