"""Records that the database refuses: an operator sees them, and has them tried again or discards them."""

import json
from typing import Any

import pytest
from django.db import connections

from tests.harness.daemon import Daemon
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2")]
DONE, FAILED = 0, 1
WITHIN_S = 20.0

REFUSE = {
    "sqlite": (
        "CREATE TRIGGER no_cursed BEFORE INSERT ON workerd_run WHEN NEW.job_name = 'cursed' "
        "BEGIN SELECT RAISE(ABORT, 'no_cursed'); END"
    ),
    "postgresql": "ALTER TABLE workerd_run ADD CONSTRAINT no_cursed CHECK (job_name <> 'cursed')",
}
ALLOW = {
    "sqlite": "DROP TRIGGER no_cursed",
    "postgresql": "ALTER TABLE workerd_run DROP CONSTRAINT no_cursed",
}


def execute(statements: dict[str, str]) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statements[connections[ALIAS].vendor])


@pytest.fixture
def run(project: Project, daemon: Daemon) -> str:
    """The run of a job that has ended, and whose record the database refuses."""
    execute(REFUSE)
    project.add_job("cursed", "finish", restart="never")
    daemon.start()
    ended = daemon.wait_event("child.exited", job="cursed")
    eventually(lambda: _versions(project) == [True], WITHIN_S, "the record of the run's end among what is set aside")
    return str(ended["run"])


def _versions(project: Project) -> list[bool]:
    """Return for each record that is set aside whether it tells an end; a run has no more than its newest."""
    return [record["row"]["ended"] is not None for record in records(project)]


def records(project: Project, *words: str, key: str = "set_aside") -> list[dict[str, Any]]:
    done = project.manage("workerd", "records", *words, "--json")
    assert (done.returncode, done.stderr) == (DONE, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)[key]
    return found


def told(project: Project, *words: str) -> str:
    done = project.manage("workerd", *words)
    assert done.stderr == ""
    return done.stdout


def is_ended(project: Project, run: str) -> bool:
    return project.runs.filter(pk=run, outcome="finished").exclude(ended=None).exists()


def test_what_is_set_aside_is_seen_and_tried_again_while_the_daemon_runs(
    project: Project, daemon: Daemon, run: str
) -> None:
    eventually(lambda: daemon.picture()["daemon"]["set_aside"] == 1, WITHIN_S, "the count in status")
    assert "1 record that it refused is set aside; “manage.py workerd records” says why" in told(project, "status")
    listed = told(project, "records")
    assert f"run {run}" in listed
    assert "no_cursed" in listed
    assert "manage.py workerd records --retry --all" in listed

    [first] = records(project)
    position = daemon.log.position
    assert "1 record is back in the journal" in told(project, "records", "--retry", str(first["id"]))
    refused_again = daemon.wait_event("ledger.set_aside", since=position, within=WITHIN_S)
    assert (refused_again["key"], is_ended(project, run)) == (run, False)

    execute(ALLOW)
    [retried] = records(project, "--retry", "--all", key="retried")
    assert retried["key"] == run
    eventually(lambda: is_ended(project, run), WITHIN_S, "the run in the table")
    eventually(lambda: daemon.picture()["daemon"]["set_aside"] == 0, WITHIN_S, "nothing set aside any more")
    assert told(project, "records") == "No record is set aside.\n"
    assert "set aside" not in told(project, "status")
    daemon.stop()
    assert daemon.faults() == []


def test_what_is_set_aside_is_put_back_while_no_daemon_runs(project: Project, daemon: Daemon, run: str) -> None:
    daemon.stop()
    execute(ALLOW)

    [record] = records(project, "--retry", "--all", key="retried")
    assert (record["kind"], record["key"]) == ("run", run)
    assert not is_ended(project, run)

    daemon.start()
    eventually(lambda: is_ended(project, run), WITHIN_S, "the run in the table")
    daemon.stop()


def test_what_nobody_needs_is_discarded_and_an_unknown_number_changes_nothing(
    project: Project, daemon: Daemon, run: str
) -> None:
    [record] = records(project)
    wrong = project.manage("workerd", "records", "--discard", str(record["id"]), "4711")
    assert (wrong.returncode, wrong.stdout) == (FAILED, "")
    assert wrong.stderr.startswith("No record with the ID 4711 is set aside.")
    assert records(project) == [record]

    assert records(project, "--discard", str(record["id"]), key="discarded") == [record]
    assert records(project) == []
    eventually(lambda: daemon.picture()["daemon"]["set_aside"] == 0, WITHIN_S, "the count in status")
    daemon.stop()
    assert not project.runs.filter(pk=run).exists()
