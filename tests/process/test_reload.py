"""New code without downtime: taken over job by job, or rejected with the reason while everything goes on."""

import os
import signal
import statistics
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from tests.harness.chaos import assert_descriptors, descriptors, orphans_of, wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project
from tests.harness.waiting import eventually

RELOADS = int(os.environ.get("WORKERD_TEST_RELOADS", "20"))
LOADED_WITHIN_S = 60.0
DONE, FAILED = 0, 1
SLOTS = 5
BETWEEN_S = 5.0
"""Between a child's end and its successor's licence, on a machine that runs other things too; usually a millisecond."""
GROWTH_MIB = 2.0

BROKEN = {
    "raise RuntimeError('not today')": "RuntimeError: not today",
    "def broken(:": "SyntaxError",
    "import nowhere_to_be_found": "No module named 'nowhere_to_be_found'",
    "import os; os._exit(3)": "it ended before it was ready (exit code 3)",
    "import os; os._exit(0)": "it ended before it was ready (exit code 0)",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "it ended before it was ready (SIGSEGV)",
    "import workerd.forkserver.main; workerd.forkserver.main.WIRE_VERSION = 99": "restart the service",
    "from django.db import transaction; transaction.atomic().__enter__()": "transaction",
}

SLOW = """
import pathlib, time
pathlib.Path({begun!r}).touch()
while not pathlib.Path({go!r}).exists():
    time.sleep(0.01)
raise RuntimeError("of the old code")
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(project: Project, daemon: Daemon, request: pytest.FixtureRequest) -> Daemon:
    """A daemon at work, with a module that a release may break; a parameter says how often its jobs write a row."""
    write_module(project, "released", "")
    project.settings["PRELOAD"] = ["released"]
    every_s = getattr(request, "param", 0.5)
    project.add_job("count", processes=SLOTS - 1, kwargs={"every": every_s}, backoff_initial=0)
    project.add_job("idle", backoff_initial=0)
    daemon.start()
    wait_for_calm(daemon, SLOTS)
    return daemon


@pytest.mark.backends("postgres-psycopg2")
@pytest.mark.parametrize("loaded", [0.02], indirect=True)
def test_many_reloads_under_load_leave_no_gap_and_nothing_behind(loaded: Daemon, project: Project) -> None:
    """Each slot is without a child for no longer than that child takes to stop and its successor to start."""
    daemon, pid = loaded, loaded.pid
    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S) == {"ok": True, "generation": 2}
    wait_for_calm(daemon, SLOTS)
    before, memory, position = descriptors(pid), private_mib(pid), daemon.log.position

    for number in range(RELOADS):
        assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S) == {"ok": True, "generation": 3 + number}

    wait_for_calm(daemon, SLOTS)
    assert {slot["generation"] for slot in daemon.picture()["slots"]} == {2 + RELOADS}
    assert daemon.pid == pid
    gaps = gaps_between_children(daemon, position)
    assert len(gaps) == RELOADS * (SLOTS + 1)
    assert max(gaps) < BETWEEN_S, sorted(gaps)[-5:]
    assert {event["outcome"] for event in daemon.events("child.exited", since=position)} <= {"stopped", "finished"}
    assert_descriptors(pid, before)
    eventually(lambda: not orphans_of(daemon), what="the end of a child that is being born")
    assert private_mib(pid) < memory + GROWTH_MIB
    print(f"between children: p50 {statistics.median(gaps) * 1000:.1f} ms, longest {max(gaps) * 1000:.1f} ms")


def gaps_between_children(daemon: Daemon, position: int) -> list[float]:
    """Return, for each end of a slot's child, the seconds until the next one had its licence."""
    ended: dict[str, datetime] = {}
    gaps = []
    for event in daemon.events(since=position):
        at, slot = datetime.fromisoformat(event["timestamp"]), event.get("slot", "")
        if event["event"] == "child.exited" and slot:
            ended[slot] = at
        elif event["event"] == "child.born" and slot in ended:
            gaps.append((at - ended.pop(slot)).total_seconds())
    return gaps


def private_mib(pid: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024


@pytest.mark.backends("any")
def test_code_that_does_not_load_or_cannot_fork_is_rejected_and_nothing_else_happens(
    loaded: Daemon, project: Project
) -> None:
    daemon = loaded
    before, children = descriptors(daemon.pid), {child.pid for child in daemon.children()}
    for number, (code, reason) in enumerate(BROKEN.items(), start=1):
        write_module(project, "released", code)

        answer = daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)

        assert answer["ok"] is False, code
        assert reason in answer["error"], code
        event = daemon.wait_events("forkserver.rejected", number)[-1]
        assert reason in f"{event['reason']} {event.get('traceback')}", code
    wait_for_calm(daemon, SLOTS)
    assert {child.pid for child in daemon.children()} == children
    assert_descriptors(daemon.pid, before)
    assert daemon.picture()["daemon"]["generation"] == 1


@pytest.mark.backends("any")
def test_a_reload_asked_during_another_loads_the_code_as_it_is_then(loaded: Daemon, project: Project) -> None:
    """The first one has read the old code already; twenty that ask together share the next."""
    daemon, begun, go = loaded, project.folder / "begun", project.folder / "go"
    write_module(project, "released", SLOW.format(begun=str(begun), go=str(go)))
    with ThreadPoolExecutor(21) as asking:
        first = asking.submit(daemon.ask, {"verb": "reload"}, LOADED_WITHIN_S)
        eventually(begun.exists, 30, "the load")
        write_module(project, "released", "")
        others = [asking.submit(daemon.ask, {"verb": "reload"}, LOADED_WITHIN_S) for _ in range(20)]
        daemon.wait_events("operation.taken", 21)
        go.touch()

    assert "RuntimeError: of the old code" in first.result()["error"]
    assert [other.result() for other in others] == [{"ok": True, "generation": 3}] * 20


@pytest.mark.backends("any")
def test_the_command_says_what_came_of_it(loaded: Daemon, project: Project) -> None:
    good = project.manage("workerd", "reload")
    write_module(project, "released", "def fail():\n    raise RuntimeError('not today')\nfail()\n")
    bad = project.manage("workerd", "reload")
    write_module(project, "released", "")
    early = project.manage("workerd", "reload", "--no-wait")

    assert (good.returncode, good.stdout) == (DONE, "generation 2 is loaded, and every running job has moved to it\n")
    assert bad.returncode == FAILED
    assert "the new generation was rejected: RuntimeError: not today" in bad.stderr
    assert 'released.py", line 2, in fail' in bad.stderr
    assert early.returncode == DONE
    loaded.wait_event("forkserver.ready", generation=4, within=LOADED_WITHIN_S)


@pytest.mark.backends("any")
def test_a_hang_up_reloads_and_takes_the_new_code(loaded: Daemon, project: Project) -> None:
    write_module(project, "released", "import structlog; structlog.get_logger().info('release.two')")

    os.kill(loaded.pid, signal.SIGHUP)

    loaded.wait_event("release.two", generation=2, within=LOADED_WITHIN_S)
    eventually(lambda: {slot["generation"] for slot in loaded.picture()["slots"]} == {2}, 30, "the second generation")


@pytest.mark.backends("any")
def test_a_release_is_looked_up_by_its_link_at_each_reload(project: Project, daemon: Daemon) -> None:
    """Working directory and module path lead through a symbolic link, which a deployment moves."""
    releases = [project.folder / "releases" / name for name in ("one", "two")]
    for release in releases:
        release.mkdir(parents=True)
        (release / "released.py").write_text(
            "import os, structlog; structlog.get_logger().info("
            f"'release.loaded', name='{release.name}', cwd=os.getcwd())"
        )
    link = project.folder / "current"
    link.symlink_to(releases[0])
    write_module(project, "unused", "")
    project.extra_env["PYTHONPATH"] += f":{link}"
    project.extra_env["PWD"] = str(link)
    project.settings["PRELOAD"] = ["released"]
    daemon.start(cwd=link)
    first = daemon.wait_event("release.loaded", generation=1)

    moved = project.folder / "moved"
    moved.symlink_to(releases[1])
    moved.replace(link)
    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"] is True

    second = daemon.wait_event("release.loaded", generation=2)
    assert [(event["name"], event["cwd"]) for event in (first, second)] == [
        (release.name, str(release)) for release in releases
    ]


@pytest.mark.backends("any")
def test_while_nobody_can_be_born_a_restart_stops_nobody_and_status_says_why(loaded: Daemon, project: Project) -> None:
    daemon = loaded
    pid = daemon.slot("idle")["pid"]
    write_module(project, "released", "import time; time.sleep(2); raise RuntimeError('not today')")
    end_all_births(daemon)

    loading = project.manage("workerd", "restart", "idle")
    assert loading.returncode == FAILED
    assert "nothing was restarted, because no new process can be started: " in loading.stderr
    daemon.wait_event("forkserver.rejected", within=30)
    for names in (["idle"], ["--all"]):
        refused = project.manage("workerd", "restart", *names)
        assert refused.returncode == FAILED
        assert "nothing was restarted, because no new process can be started: RuntimeError: not today" in refused.stderr
    shown = project.manage("workerd", "status").stdout
    assert "forkserver: not ready: RuntimeError: not today\n" in shown
    assert "database: not known yet, the ledger has not reported\n" in shown
    assert daemon.slot("idle")["pid"] == pid
    os.kill(daemon.slot("count:0")["pid"], signal.SIGKILL)
    waiting = daemon.wait_state("count:0", "STARTING")
    assert waiting["reason"] == "no process can be started: RuntimeError: not today"

    write_module(project, "released", "")
    assert daemon.ask({"verb": "reload"}, within=LOADED_WITHIN_S)["ok"]
    assert daemon.wait_state("count:0", "RUNNING")["reason"] == ""
    restarted = project.manage("workerd", "restart", "idle")
    assert restarted.returncode == DONE, restarted.stderr
    eventually(lambda: "database: reachable" in project.manage("workerd", "status").stdout, 30, "the ledger's word")


def end_all_births(daemon: Daemon) -> None:
    """Kill forkserver, spares and ledger, so that the next of each has to be born of code that is loaded anew."""
    picture = daemon.picture()
    (ledger,) = (slot["pid"] for slot in picture["slots"] if slot["builtin"])
    os.kill(picture["daemon"]["forkserver_pid"], signal.SIGKILL)
    daemon.wait_event("forkserver.exited")
    for spare in spares(daemon):
        os.kill(spare, signal.SIGKILL)
    eventually(lambda: not spares(daemon), what="the end of the spares")
    os.kill(ledger, signal.SIGKILL)


def spares(daemon: Daemon) -> list[int]:
    """Return the pids of the children that no slot has."""
    known = {event["forkserver_pid"] for event in daemon.events("forkserver.started")}
    known |= {slot["pid"] for slot in daemon.picture()["slots"]}
    return [child.pid for child in daemon.children() if child.pid not in known]
