"""A daemon whose clock was ahead has left rows with large versions; later daemons write over them all the same."""

import shutil

import pytest
from django.db.models import F

from tests.harness.daemon import Daemon
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Node, Slot
from workerd.wire.epochs import COUNTS_A_LIFE

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-mysqlclient")]
DECADES = 20_000_000 * COUNTS_A_LIFE


def test_rows_follow_a_daemon_that_starts_after_one_from_the_future(project: Project, daemon: Daemon) -> None:
    """STATE_DIR is lost with it, as in a container without a volume."""
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    former = daemon.slot("idle")["run"]
    eventually(lambda: Slot.objects.using(ALIAS).filter(run=former).exists(), 30, "the former daemon's slot")
    eventually(lambda: project.runs.filter(pk=former).exists(), 30, "the former daemon's run")
    daemon.kill()
    Slot.objects.using(ALIAS).update(version=F("version") + DECADES)
    Node.objects.using(ALIAS).update(record_version=F("record_version") + DECADES)
    project.runs.update(version=F("version") + DECADES)
    shutil.rmtree(project.state_dir)
    project.state_dir.mkdir(mode=0o700)

    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    run = daemon.slot("idle")["run"]

    eventually(lambda: Slot.objects.using(ALIAS).filter(run=run, state="RUNNING").exists(), 30, "the slot of now")
    eventually(lambda: Node.objects.using(ALIAS).get().daemon_pid == daemon.pid, 30, "the node of now")
    eventually(lambda: project.runs.get(pk=former).outcome == "lost", 30, "the end of the former run")
    daemon.stop()
    daemon.start()
    run = daemon.wait_state("idle", "RUNNING")["run"]
    eventually(lambda: project.runs.filter(pk=run, outcome="").exists(), 30, "the run of now")
    daemon.stop()
    eventually(lambda: project.runs.get(pk=run).outcome == "stopped", 30, "its end in the table")
