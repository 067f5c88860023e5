"""A release that loads and is bad all the same: it reaches one slot, and the others keep the code that works."""

import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.harness.backends.server import free_port
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.daemon.processes.loading import HURRIED_S

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
JOBS = ("bills", "feed", "mail")

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def start(project: Project, daemon: Daemon, **fields: Any) -> dict[str, int]:
    """Start three jobs of two processes each; return the pid of each slot."""
    write_module(project, "released", GOOD)
    project.settings["PRELOAD"] = ["released"]
    for name in JOBS:
        project.add_job(name, target="released.work", processes=2, **{"start_grace": GRACE_S, **fields})
    daemon.start()
    eventually(lambda: set(states(daemon).values()) == {"RUNNING"}, 30, "six running slots")
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
        (HANGS, {"signals_ready": True, "start_timeout": 1.0}, "it was not ready within 1 s, its start timeout"),
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
    eventually(lambda: pids(daemon)["mail:1"] not in {before["mail:1"], None}, 30, "the restart")

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
    eventually(lambda: newer not in {child.pid for child in daemon.children()}, 30, "the end of the new forkserver")


def test_go_on_moves_the_others_and_tells_who_is_down(project: Project, daemon: Daemon) -> None:
    halt(project, daemon)

    done = project.manage("workerd", "reload", "--go-on")

    assert done.returncode == FAILED
    share, *named = done.stderr.strip().split("; ")
    assert share == "0 of 6 slots run generation 2"
    assert {words.split(" is ")[0] for words in named} == {f"{job}:{index}" for job in JOBS for index in range(2)}
    assert all(words.endswith(": RuntimeError: not today") for words in named)
    again = project.manage("workerd", "reload", "--go-on")
    assert (again.returncode, again.stderr) == (FAILED, "no reload is halted: there is nothing to go on with\n")
    older = daemon.wait_event("forkserver.ready", generation=1)["forkserver_pid"]
    eventually(lambda: older not in {child.pid for child in daemon.children()}, 30, "the end of the old forkserver")


@pytest.mark.parametrize(
    ("verb", "result"), [("reload_back", "done"), ("reload_go_on", "0 of 6 slots run generation 2; ")]
)
def test_a_halt_is_decided_by_a_row_as_the_admin_writes_it(
    project: Project, daemon: Daemon, verb: str, result: str
) -> None:
    halt(project, daemon)
    nodes = project.nodes.filter(halt__gt="")
    [node] = eventually(lambda: list(nodes.all()), 30, "the halt on the node's row")

    expires = timezone.now() + timedelta(minutes=1)
    order = project.operations.create(verb=verb, node=node, requested_by="ada", expires=expires)

    done = project.operations.filter(pk=order.pk).exclude(result="")
    [answered] = eventually(lambda: list(done.all()), 60, "the answer")
    assert "bills:0 failed: RuntimeError: not today" in str(node.halt)
    assert "not today" not in str(node.public_halt)
    assert answered.result.startswith(result)
    assert "not today" not in str(answered.public_result)
    eventually(lambda: not nodes.exists(), 30, "the end of the halt on the node's row")
    if verb == "reload_back":
        assert set(generations(daemon).values()) == {1}


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
    eventually(lambda: set(states(daemon).values()) == {"RUNNING"}, 30, "twenty running slots")
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


RENAMED = "from workerd import job\n@job\ndef works(context):\n    pass\n"
OTHER_ARGUMENTS = GOOD.replace("def work(context):", "def work(context, shop):")
COMMAND = """
import time
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def handle(self, **_):
        while True:
            time.sleep(0.1)
"""
SETTINGS = """
from tests.process.jobs_settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "depot"]
"""
BROKEN_COMMANDS = {
    "def broken(:": "SyntaxError",
    "import nowhere_to_be_found": "No module named 'nowhere_to_be_found'",
    "import os; os._exit(3)": "it ends the process that loads it (exit code 3)",
    "import os; os.abort()": "it ends the process that loads it (SIGABRT)",
    "Commander = 1": "Command",
}


@pytest.mark.parametrize(("code", "reason"), [(RENAMED, "“released.work” is not a job"), (OTHER_ARGUMENTS, "shop")])
def test_a_release_without_what_a_row_runs_is_rejected_and_nothing_else_happens(
    project: Project, daemon: Daemon, code: str, reason: str
) -> None:
    before = start(project, daemon)
    write_module(project, "released", code)

    done = project.manage("workerd", "reload")

    assert done.returncode == FAILED
    assert "the new generation was rejected: the job “bills”: " in done.stderr
    assert reason in done.stderr
    assert pids(daemon) == before
    assert daemon.picture()["daemon"]["reload"].startswith("the new generation was rejected: the job “bills”")


def test_a_module_that_is_tried_sees_the_words_of_its_job(project: Project, daemon: Daemon) -> None:
    look = "import sys\nassert sys.argv[1:] == ['workerd', 'once', 'looks'], sys.argv\n"
    write_module(project, "looking", f"{look}{GOOD}")
    project.settings["TARGETS"] = ["looking.*"]
    project.add_job("looks", target="looking.work", start_grace=GRACE_S)
    daemon.start()
    daemon.wait_state("looks", "RUNNING")

    done = project.manage("workerd", "reload")

    assert done.returncode == DONE, done.stderr
    assert generations(daemon) == {"looks": 2}


def test_what_a_release_forks_as_it_loads_does_not_speak_for_what_loads_after_it(
    project: Project, daemon: Daemon
) -> None:
    waiting = "import time\ndef work():\n    time.sleep(3600)\n"
    for name in ("first", "second"):
        write_module(project, name, waiting)
        project.add_job(name, target=f"{name}.work", start_grace=GRACE_S)
    project.settings["TARGETS"] = ["first.*", "second.*"]
    daemon.start()
    eventually(lambda: set(states(daemon).values()) == {"RUNNING"}, 30, "two running slots")
    before = pids(daemon)
    write_module(project, "first", f"import os\nos.fork()\n{waiting}")
    write_module(project, "second", "import time\ntime.sleep(0.5)\nimport nowhere_to_be_found\n")

    done = project.manage("workerd", "reload")

    assert done.returncode == FAILED, done.stdout
    assert "the new generation was rejected: the job “second”: " in done.stderr
    assert pids(daemon) == before


def start_with_command(project: Project, daemon: Daemon, code: str = COMMAND, *, row: bool) -> None:
    """Start a daemon whose project has a command of its own, and a row that runs it."""
    write_module(project, "released", GOOD)
    write_module(project, "depot_settings", SETTINGS)
    folder = project.folder / "modules" / "depot" / "management" / "commands"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent, folder.parent.parent):
        (package / "__init__.py").touch()
    write_command(project, code)
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "depot_settings"
    project.settings |= {"PRELOAD": ["released"], "COMMANDS": ["count_stock"]}
    project.add_job("feed", target="released.work", start_grace=GRACE_S)
    if row:
        project.add_job("stock", command="count_stock", start_grace=GRACE_S, backoff_initial=0)
    daemon.start()
    daemon.wait_state("feed", "RUNNING")


def write_command(project: Project, code: str) -> None:
    write_module(project, "depot/management/commands/count_stock", code)


@pytest.mark.parametrize("row", [True, False])
@pytest.mark.parametrize("code", BROKEN_COMMANDS)
def test_a_release_whose_command_does_not_load_is_rejected(
    project: Project, daemon: Daemon, code: str, row: bool
) -> None:
    start_with_command(project, daemon, row=row)
    before = pids(daemon)
    write_command(project, code)

    answer = daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)

    named = "the job “stock”" if row else 'WORKERD["COMMANDS"] “count_stock”'
    assert answer["error"].startswith(f"the new generation was rejected: {named}: ")
    assert BROKEN_COMMANDS[code] in answer["error"]
    assert pids(daemon) == before


def test_a_release_whose_command_hangs_as_it_is_imported_is_rejected(project: Project, daemon: Daemon) -> None:
    start_with_command(project, daemon, row=False)
    write_module(project, "released", f"{GOOD}\nimport workerd.forkserver.rehearsal as r; r.PATIENCE_S = 1.0")
    write_command(project, "import time; time.sleep(3600)")

    answer = daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)

    assert answer["error"].endswith('WORKERD["COMMANDS"] “count_stock”: it is not loaded after 1 s')


def test_a_command_is_restarted_from_memory_while_its_file_is_broken(project: Project, daemon: Daemon) -> None:
    start_with_command(project, daemon, row=True)
    pid = daemon.wait_state("stock", "RUNNING")["pid"]
    write_command(project, "def broken(:")
    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"] is False

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: daemon.slot("stock")["pid"] not in {pid, None}, 30, "the restart")
    assert daemon.wait_state("stock", "RUNNING")["generation"] == 1


@pytest.mark.parametrize("row", [True, False])
def test_what_was_broken_before_does_not_reject_a_release(project: Project, daemon: Daemon, row: bool) -> None:
    start_with_command(project, daemon, "def broken(:", row=row)
    if row:
        daemon.wait_state("stock", "PARKED")

    answer = daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)

    assert answer["generation"] == 2
    assert daemon.slot("feed")["generation"] == 2
    assert ("error" in answer) is row
    if row:
        assert answer["error"].startswith("1 of 2 slots runs generation 2; stock is PARKED: “count_stock” does not")


def test_a_command_that_holds_a_port_as_it_is_imported_is_no_reason_to_reject(project: Project, daemon: Daemon) -> None:
    """The process that runs it has the port, so nobody can tell."""
    listening = f"import socket\nlistening = socket.create_server(('127.0.0.1', {free_port()}))\n"
    start_with_command(project, daemon, listening + COMMAND, row=True)
    daemon.wait_state("stock", "RUNNING")

    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S) == {"ok": True, "generation": 2}


def test_a_forkserver_that_is_stopped_does_not_outlive_its_generation(project: Project, daemon: Daemon) -> None:
    start(project, daemon)
    stopped = daemon.picture()["daemon"]["forkserver_pid"]
    os.kill(stopped, signal.SIGSTOP)

    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"]

    eventually(lambda: stopped not in {child.pid for child in daemon.children()}, 30, "the end of the old forkserver")


SLOW = """
import pathlib, time
begun = pathlib.Path({begun!r})
if not begun.exists():
    begun.touch()
    time.sleep(3600)
"""


def test_a_forkserver_that_dies_while_a_reload_hangs_is_replaced_at_once(project: Project, daemon: Daemon) -> None:
    before, begun = start(project, daemon), project.folder / "begun"
    write_module(project, "released", SLOW.format(begun=str(begun)) + GOOD)
    assert daemon.ask({"verb": "reload", "wait": False})["ok"]
    eventually(begun.exists, 30, "the load")
    os.kill(daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)
    daemon.wait_event("forkserver.ready", generation=3, within=LOADED_WITHIN_S)

    os.kill(before["mail:0"], signal.SIGKILL)
    eventually(lambda: pids(daemon)["mail:0"] not in {before["mail:0"], None}, 30, "the restart")
    assert daemon.wait_state("mail:0", "RUNNING")["generation"] in {1, 3}
    assert daemon.picture()["daemon"]["reload"] == "generation 2 is being loaded"


def test_a_corrected_reload_does_not_wait_for_a_load_that_hangs(project: Project, daemon: Daemon) -> None:
    """Neither for the one of a reload, nor for the one that is to replace a forkserver that has died meanwhile."""
    start(project, daemon)
    begun = project.folder / "begun"
    begun.mkdir()
    note = f"import os, pathlib, signal; pathlib.Path({str(begun)!r}, str(os.getpid())).touch()"
    write_module(project, "released", f"{note}; signal.pause()")
    assert daemon.ask({"verb": "reload", "wait": False})["ok"]
    os.kill(daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)
    eventually(lambda: len(list(begun.iterdir())) == 2, 30, "two loads that hang")
    write_module(project, "released", GOOD)

    assert daemon.ask({"verb": "reload"}, within=2 * HURRIED_S + LOADED_WITHIN_S)["ok"]

    rejected = [event["generation"] for event in daemon.wait_events("forkserver.rejected", 2)]
    assert sorted(rejected) == [2, 3]


def test_a_slot_says_why_no_process_can_be_started_while_everything_hangs(project: Project, daemon: Daemon) -> None:
    before = start(project, daemon)
    write_module(project, "released", "import time; time.sleep(3600)")
    assert daemon.ask({"verb": "reload", "wait": False})["ok"]
    os.kill(daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)
    daemon.wait_event("forkserver.exited")
    for name in before:  # some take the spares
        os.kill(before[name], signal.SIGKILL)

    def waits() -> bool:
        reasons = [slot["reason"] for slot in job_slots(daemon) if slot["state"] == "STARTING"]
        return any("the forkserver has ended (SIGKILL), and another one loads" in reason for reason in reasons)

    eventually(waits, 30, "a slot that says what it waits for")
