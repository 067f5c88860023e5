"""Each kind of alert that a node raises by itself: from its real cause to two real receivers, once, and its end."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.alerted import Alerted, receiving
from tests.harness.backends.backend import Databases
from tests.harness.daemon import running
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
CIRCLE = [3, 8]
_numbers = itertools.count(1)

WORKS = "from workerd import job\n@job\ndef work(context):\n    for _ in context.every(0.2):\n        pass\n"
RAISES = "from workerd import job\n@job\ndef work(context):\n    raise RuntimeError('not today')\n"


@pytest.fixture(scope="module")
def alerted(
    template: str, databases: Databases, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Alerted]:
    """A daemon for the whole module; each test has jobs of its own."""
    name = f"workerd_alerts_{os.getpid()}_{next(_numbers)}"
    databases.copy(template, name)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("alerts"), databases, name)
        write_module(project, "released", WORKS)
        times = {"ALERT_DOWN_SECONDS": 1, "ALERT_CIRCLE": CIRCLE}
        with receiving(project, PRELOAD=["released"], **times) as (hook, box), running(project) as daemon:
            yield Alerted(project, daemon, hook, box)
        project.close()


def add(alerted: Alerted, name: str, bad_job: str, **fields: Any) -> None:
    alerted.project.add_job(name, bad_job, **{"start_grace": 0.1, "stop_timeout": 1.0, **fields})


def mend(alerted: Alerted, name: str, **fields: Any) -> None:
    """Have the job do no harm from now on."""
    fields = {"target": "tests.process.bad_jobs.jobs.idle", "kwargs": {}, **fields}
    alerted.project.edit_job(name, **fields)
    alerted.daemon.wait_state(name, "RUNNING")


def test_a_slot_that_is_parked(alerted: Alerted) -> None:
    add(alerted, "parks", "leave", kwargs={"code": 78})
    raised = alerted.wait("parked", "raised", "parks")
    mend(alerted, "parks")

    assert (raised.json["severity"], raised.json["slot"]) == ("critical", "parks")
    assert "exit code 78" in raised.json["text"]
    alerted.assert_told_once("parked", "parks")


def test_a_process_that_hangs(alerted: Alerted) -> None:
    add(alerted, "hangs", "hang", heartbeat_timeout=1.0, backoff_initial=5.0, backoff_max=60.0)
    raised = alerted.wait("hung", "raised", "hangs")
    mend(alerted, "hangs", heartbeat_timeout=None)

    assert raised.json["run"] == alerted.daemon.wait_event("child.hung", job="hangs")["run"]
    alerted.assert_told_once("hung", "hangs")


def test_a_process_above_its_limit_of_memory(alerted: Alerted) -> None:
    add(alerted, "eats", "eat", kwargs={"mib": 200, "step": 50}, max_memory=60, backoff_initial=5.0, backoff_max=60.0)
    alerted.wait("out_of_memory", "raised", "eats")
    mend(alerted, "eats", max_memory=None)

    alerted.assert_told_once("out_of_memory", "eats")


def test_a_slot_that_starts_again_and_again_without_a_failure(alerted: Alerted) -> None:
    """It ends with 0 each time, a second after its start, as its restart policy allows."""
    add(alerted, "circles", "leave", kwargs={"code": 0, "after": 1.1}, restart="always")
    raised = alerted.wait("circle", "raised", "circles")
    mend(alerted, "circles")

    assert raised.json["text"].startswith("3 of its runs ended within 8 s")
    alerted.assert_told_once("circle", "circles")


def test_a_significant_job_that_is_down(alerted: Alerted) -> None:
    add(alerted, "down", "leave", kwargs={"code": 75}, significant=True, backoff_initial=10.0, backoff_max=60.0)
    raised = alerted.wait("down", "raised", "down")
    mend(alerted, "down", significant=True)

    assert raised.json["severity"] == "critical"
    alerted.assert_told_once("down", "down")


def test_a_scheduled_run_that_failed_for_good(alerted: Alerted) -> None:
    add(alerted, "fails", "leave", kwargs={"code": 3}, schedule="0 3 1 1 *", time_zone="UTC", restart="never")
    alerted.daemon.wait_state("fails", "WAITING")
    assert alerted.project.manage("workerd", "trigger", "fails").returncode == 0
    raised = alerted.wait("failed", "raised", "fails")
    alerted.project.edit_job("fails", target="tests.process.bad_jobs.jobs.finish", kwargs={})
    eventually(lambda: alerted.daemon.events("jobs.changed", changed=1), 20, "the edit")
    assert alerted.project.manage("workerd", "trigger", "fails").returncode == 0

    assert "exit code 3" in raised.json["text"]
    alerted.assert_told_once("failed", "fails")


def test_new_code_that_does_not_load_and_then_code_that_fails(alerted: Alerted) -> None:
    project = alerted.project
    project.add_job("moves", target="released.work", start_grace=0.3)
    alerted.daemon.wait_state("moves", "RUNNING")

    write_module(project, "released", "this is no Python\n")
    project.manage("workerd", "reload")
    rejected = alerted.wait("rejected", "raised")
    write_module(project, "released", RAISES)
    project.manage("workerd", "reload")
    halted = alerted.wait("halted", "raised")
    write_module(project, "released", WORKS)
    assert project.manage("workerd", "reload").returncode == 0

    assert "SyntaxError" in rejected.json["text"]
    assert "moves failed: " in halted.json["text"]
    alerted.assert_told_once("rejected")
    alerted.assert_told_once("halted")


def test_no_job_was_touched_by_any_of_it(alerted: Alerted, tmp_path: Path) -> None:
    """The notifier is one process, which none of the alerts has ended."""
    born = alerted.daemon.events("child.born", job="workerd.notifier")
    reloads = len(alerted.daemon.events("rollout.ended")) + len(alerted.daemon.events("rollout.halted"))

    assert 1 <= len(born) <= 1 + 2 * reloads
    eventually(lambda: not alerted.daemon.status()["daemon"]["alerts_unsent"], 60, "the end of what is unsent")
    assert alerted.daemon.faults() == []
