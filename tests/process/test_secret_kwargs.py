"""Arguments reach the child and nobody else: no line of the log, no answer, no record has their values."""

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Operation, Slot

pytestmark = pytest.mark.slow

SECRET = "hunter2-and-more"


def test_no_argument_is_in_the_log_or_in_what_is_recorded(project: Project, daemon: Daemon) -> None:
    project.add_job("waits", "ready_when_told", kwargs={"path": f"/{SECRET}"}, signals_ready=True)
    project.add_job("misfit", "idle", kwargs={"api_token": SECRET})
    daemon.start(ready=False)
    daemon.wait_event("child.parked", job="misfit")
    first = daemon.wait_event("child.born", job="waits")
    project.edit_job("waits", kwargs={"path": f"/another/{SECRET}"})
    daemon.wait_event("child.born", job="waits", pid=lambda pid: pid != first["pid"])
    results = [project.manage("workerd", *words) for words in (["status", "--json"], ["dump", "waits"])]
    problem = project.jobs.filter(name="misfit").values_list("problem", flat=True)
    eventually(lambda: "api_token" in problem.get(), what="the problem on the job's row")
    daemon.stop()

    assert [done.returncode for done in results] == [1, 0]  # of the status: one is parked
    answers = [done.stdout + done.stderr for done in results]
    recorded = [str(row) for row in project.runs.values()]
    assert recorded
    for text in (*daemon.log.lines, daemon.stderr_path.read_text(), problem.get(), *answers, *recorded):
        assert SECRET not in text


def test_the_message_of_an_exception_is_recorded_apart_from_what_everybody_may_read(
    project: Project, daemon: Daemon
) -> None:
    words = {"kwargs": {"message": SECRET}, "backoff_initial": 60, "start_grace": 20}
    project.add_job("loud", "crash", **words)
    project.add_job("gone", "no_such_function")
    daemon.start(ready=False)
    daemon.wait_event("child.parked", job="gone")
    daemon.wait_state("loud", "BACKOFF")
    daemon.wait_state("gone", "PARKED")
    project.manage("workerd", "start", "loud", "--no-wait")
    project.manage("workerd", "restart", "loud")
    slots = Slot.objects.using(ALIAS).filter(name="loud")
    results = Operation.objects.using(ALIAS).filter(verb="restart")
    eventually(results.exclude(result="").exists, what="the result of the restart")
    slot = eventually(lambda: slots.filter(state="BACKOFF").first() or False, what="the slot's row")
    gone = project.jobs.filter(name="gone")
    eventually(lambda: gone.get().public_problem, what="the problem in our own words")

    assert (slot.reason, slot.public_reason) == (f"RuntimeError: {SECRET}", "RuntimeError")
    assert SECRET in results.get().result
    assert results.get().public_result == "loud: BACKOFF: RuntimeError"
    assert gone.get().public_problem == gone.get().problem
