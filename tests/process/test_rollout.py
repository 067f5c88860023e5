"""A release that loads and is bad all the same: it reaches one slot, and the others keep the code that works."""

import os
import signal
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

DONE, FAILED = 0, 1
LOADED_WITHIN_S = 60.0
GRACE_S = 0.3

GOOD = """
from workerd import job

@job
def work(context):
    context.ready()
    for _ in context.every(0.2):
        pass
"""
RAISES = "from workerd import job\n@job\ndef work(context):\n    raise RuntimeError('not today')\n"
RAISES_LATER = (
    "import time\nfrom workerd import job\n@job\ndef work(context):\n"
    "    time.sleep(0.45)\n    raise RuntimeError('not today')\n"
)
READY_THEN_RAISES = (
    "import time\nfrom workerd import job\n@job\ndef work(context):\n"
    "    context.ready()\n    time.sleep(0.1)\n    raise RuntimeError('not today')\n"
)
HANGS = "import time\nfrom workerd import job\n@job\ndef work(context):\n    time.sleep(3600)\n"
PARKS = "import sys\nfrom workerd import job\n@job\ndef work(context):\n    sys.exit(78)\n"
RETURNS = "from workerd import job\n@job\ndef work(context):\n    pass\n"
DIES = "import os\nfrom workerd import job\n@job\ndef work(context):\n    os.abort()\n"

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def start(project: Project, daemon: Daemon, **fields: Any) -> dict[str, int]:
    """Start three jobs of two processes each; return the pid of each slot."""
    write_module(project, "released", GOOD)
    project.settings["PRELOAD"] = ["released"]
    for name in ("bills", "feed", "mail"):
        project.add_job(name, target="released.work", processes=2, **{"start_grace": GRACE_S, **fields})
    daemon.start()
    eventually(lambda: set(states(daemon).values()) == {"RUNNING"}, 20, "six running slots")
    return pids(daemon)


def states(daemon: Daemon) -> dict[str, str]:
    return {slot["name"]: slot["state"] for slot in job_slots(daemon)}


def pids(daemon: Daemon) -> dict[str, int]:
    return {slot["name"]: slot["pid"] for slot in job_slots(daemon)}


def generations(daemon: Daemon) -> dict[str, int]:
    return {slot["name"]: slot["generation"] for slot in job_slots(daemon)}


def job_slots(daemon: Daemon) -> list[dict[str, Any]]:
    return [slot for slot in daemon.picture()["slots"] if not slot["builtin"]]


@pytest.mark.parametrize(
    ("code", "fields", "reason"),
    [
        (RAISES, {}, "RuntimeError: not today"),
        (RAISES, {"start_grace": 0.0}, "RuntimeError: not today"),
        (RAISES, {"backoff_initial": 0.0}, "RuntimeError: not today"),
        (RAISES, {"restart": "never"}, "RuntimeError: not today"),
        (RAISES_LATER, {}, "RuntimeError: not today"),
        (READY_THEN_RAISES, {"signals_ready": True}, "RuntimeError: not today"),
        (HANGS, {"signals_ready": True, "start_timeout": 1.0}, "it was not ready within 1 s"),
        (PARKS, {}, "exit code 78"),
        (RETURNS, {}, "exit code 0"),
        (DIES, {}, "SIGABRT"),
    ],
)
def test_a_release_whose_jobs_fail_reaches_one_slot_and_no_other(
    project: Project, daemon: Daemon, code: str, fields: dict[str, Any], reason: str
) -> None:
    before = start(project, daemon, **fields)
    write_module(project, "released", code)

    done = project.manage("workerd", "reload")

    assert done.returncode == FAILED, done.stdout
    assert "the move to generation 2 is halted: bills:0 failed: " in done.stderr
    assert reason in done.stderr
    after = pids(daemon)
    assert {name for name in before if after[name] != before[name]} == {"bills:0"}
    halted = daemon.wait_event("rollout.halted")
    assert halted["generation"] == 2
    assert "bills:0 failed" in halted["reason"]
    assert "reload: the move to generation 2 is halted: bills:0 failed" in project.manage("workerd", "status").stdout


def halt(project: Project, daemon: Daemon) -> dict[str, int]:
    before = start(project, daemon)
    write_module(project, "released", RAISES)
    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"] is False
    return before


def test_while_it_is_halted_a_slot_that_has_not_moved_is_restarted_with_the_code_before(
    project: Project, daemon: Daemon
) -> None:
    before = halt(project, daemon)
    os.kill(before["mail:1"], signal.SIGKILL)
    eventually(lambda: pids(daemon)["mail:1"] not in {before["mail:1"], None}, 20, "the restart")

    assert daemon.wait_state("mail:1", "RUNNING")["generation"] == 1
    restarted = project.manage("workerd", "restart", "feed")
    assert restarted.returncode == DONE, restarted.stderr
    assert generations(daemon)["feed:0"] == generations(daemon)["feed:1"] == 1


def test_back_moves_every_slot_to_the_code_before_and_ends_the_new_one(project: Project, daemon: Daemon) -> None:
    halt(project, daemon)

    done = project.manage("workerd", "reload", "--back")

    assert (done.returncode, done.stdout) == (DONE, "every running job is back on generation 1\n"), done.stderr
    assert set(states(daemon).values()) == {"RUNNING"}
    assert set(generations(daemon).values()) == {1}
    picture = daemon.picture()["daemon"]
    assert (picture["generation"], picture["reload"]) == (1, "")
    newer = daemon.wait_event("forkserver.ready", generation=2)["forkserver_pid"]
    eventually(lambda: newer not in {child.pid for child in daemon.children()}, 20, "the end of the new forkserver")


def test_go_on_moves_the_others_and_tells_who_is_down(project: Project, daemon: Daemon) -> None:
    halt(project, daemon)

    done = project.manage("workerd", "reload", "--go-on")

    assert done.returncode == FAILED
    assert done.stderr.startswith("0 of 6 slots run generation 2; bills:0 is BACKOFF: RuntimeError: not today; ")
    again = project.manage("workerd", "reload", "--go-on")
    assert (again.returncode, again.stderr) == (FAILED, "no reload is halted: there is nothing to go on with\n")
    older = daemon.wait_event("forkserver.ready", generation=1)["forkserver_pid"]
    eventually(lambda: older not in {child.pid for child in daemon.children()}, 20, "the end of the old forkserver")


def test_a_better_release_moves_everybody_after_a_halt(project: Project, daemon: Daemon) -> None:
    halt(project, daemon)
    write_module(project, "released", GOOD)

    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S) == {"ok": True, "generation": 3}
    assert set(generations(daemon).values()) == {3}
    assert daemon.picture()["daemon"]["reload"] == ""


def test_no_two_slots_of_a_job_are_on_their_way_together(project: Project, daemon: Daemon) -> None:
    write_module(project, "released", GOOD)
    project.settings["PRELOAD"] = ["released"]
    for number in range(10):
        project.add_job(f"job-{number}", target="released.work", processes=2, start_grace=GRACE_S)
    daemon.start()
    eventually(lambda: set(states(daemon).values()) == {"RUNNING"}, 20, "twenty running slots")
    position = daemon.log.position

    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"]

    down: dict[str, set[str]] = {}
    for event in daemon.events(since=position):
        job, slot = event.get("job"), event.get("slot", "")
        if event["event"] == "child.stopping" and job:
            down.setdefault(job, set()).add(slot)
            assert len(down[job]) == 1, event
        elif event["event"] == "child.ready" and job:
            down[job].discard(slot)
