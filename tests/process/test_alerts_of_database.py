"""Alerts about the database, and receivers that fail: each from its real cause to real receivers, once, and its end."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.harness.alerted import WITHIN_S, Alerted, receiving
from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.outages import Link
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "mysql-pymysql")]
REFUSE = "ALTER TABLE workerd_run ADD CONSTRAINT no_cursed CHECK (job_name <> 'cursed')"
ALLOW = "ALTER TABLE workerd_run DROP CONSTRAINT no_cursed"


@pytest.fixture
def link(project: Project, databases: Databases) -> Iterator[Link]:
    with Link.open(project, databases) as link:
        yield link


@pytest.fixture
def alerted(project: Project, daemon: Daemon, link: Link) -> Iterator[Alerted]:
    times = {"ALERT_OUT_SECONDS": 1, "ALERT_QUIET_SECONDS": 0}
    with receiving(project, **times) as (hook, box):
        project.add_job("idle")
        daemon.start()
        yield Alerted(project, daemon, hook, box)
        daemon.stop()
        assert daemon.faults() == []


def test_a_database_that_is_out_records_that_it_refuses_and_a_time_that_is_missed(alerted: Alerted, link: Link) -> None:
    """One daemon tells of all three; the job beside them goes on."""
    project, pid = alerted.project, alerted.daemon.slot("idle")["pid"]
    link.proxy.refuse()
    out = alerted.wait("database_out", "raised")
    link.proxy.heal()
    alerted.assert_told_once("database_out")

    link.execute(REFUSE)
    project.add_job("cursed", "finish", restart="never")
    set_aside = alerted.wait("set_aside", "raised")
    link.execute(ALLOW)
    assert project.manage("workerd", "records", "--retry", "--all").returncode == 0
    alerted.assert_told_once("set_aside")

    forkserver = alerted.daemon.status()["daemon"]["forkserver_pid"]
    os.kill(forkserver, signal.SIGSTOP)
    project.add_job("late", "finish", schedule="every 10 s", time_zone="UTC", restart="never", start_within=1.0)
    try:
        missed = alerted.wait("missed", "raised", "late", within=2 * WITHIN_S)
    finally:
        os.kill(forkserver, signal.SIGCONT)
    alerted.assert_told_once("missed", "late")

    assert missed.json["text"].startswith("nothing ran at its time: ")
    assert out.json["dedup_key"] == "database_out", "every node sees the same"
    assert "workerd records" in set_aside.json["text"]
    assert alerted.daemon.slot("idle")["pid"] == pid


def test_nothing_is_lost_where_receivers_fail_and_both_processes_are_killed(alerted: Alerted) -> None:
    """An alert while nobody answers; then daemon and notifier are killed: it comes with one id, once or twice."""
    alerted.hook.code, alerted.box.refusal = 500, "451 later"
    pid = alerted.daemon.slot("idle")["pid"]
    alerted.project.add_job("parks", "leave", kwargs={"code": 78})
    raised = eventually(lambda: alerted.tries("parked", "raised", "parks"), WITHIN_S, "a try that fails")[0].json["id"]
    assert alerted.daemon.slot("idle")["pid"] == pid
    eventually(lambda: alerted.daemon.status()["daemon"]["alerts_unsent"], WITHIN_S, "a count of what is unsent")

    notifier = alerted.daemon.slot("workerd.notifier")["pid"]
    os.kill(notifier, signal.SIGKILL)
    alerted.daemon.kill()
    alerted.hook.code, alerted.box.refusal = 200, ""
    alerted.daemon.start()

    first = alerted.wait("parked", "raised", "parks")
    assert first.json["id"] == raised
    assert len([post for post in alerted.posts("parked", "raised", "parks") if post.json["id"] == raised]) <= 2
    eventually(lambda: alerted.subjects("parked parks:0"), WITHIN_S, "the mail")
