"""Titles in ``ps``, where setproctitle is installed, and what must not be lost by them."""

from pathlib import Path

import pytest

from tests.harness.chaos import children_of, wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.processes import Process
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.wire.config import DAEMON_VARIABLE

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


def test_each_process_shows_what_it_is(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()
    forkserver = wait_for_calm(daemon, 1)["daemon"]["forkserver_pid"]
    titles = {
        forkserver: "workerd: tests forkserver 1",
        daemon.child_pid("idle"): "workerd: tests idle",
        daemon.slot("workerd.ledger")["pid"]: "workerd: tests workerd.ledger",
    }
    spares = {child.pid for child in children_of(daemon.pid)} - set(titles)
    titles |= dict.fromkeys(spares, "workerd: tests spare")

    def are_shown() -> None:
        shown = list(children_of(daemon.pid))
        assert {child.pid: child.command_line() for child in shown} == titles
        assert [child.name for child in shown if " " in child.name] == [], "Python counts the words of /proc/PID/stat"

    eventually(are_shown, what="the titles")


def test_a_title_longer_than_the_command_line_leaves_the_environment_as_it_is(project: Project, daemon: Daemon) -> None:
    """The two are neighbours in memory, and by WORKERD_TREE in the latter the daemon knows its leftovers."""
    project.name = "n" * 60
    job = "j" * 100
    title = f"workerd: {project.name} {job}"
    project.add_job(job, "idle")
    daemon.start()
    wait_for_calm(daemon, 1)

    shown = eventually(lambda: _title(daemon.child_pid(job)), what="the title")

    [tree] = {mark for mark in _environment(daemon.child_pid(job)) if mark.startswith("WORKERD_TREE=")}
    own = f"{DAEMON_VARIABLE}="
    wanted = {tree} | {variable for variable in _environment(daemon.pid) if not variable.startswith(own)}
    for child in children_of(daemon.pid):
        assert [lost.partition("=")[0] for lost in wanted - _environment(child.pid)] == []
    assert title.startswith(shown)
    assert len(shown) < len(title), "the title had room enough: nothing is tested"


def _title(pid: int) -> str:
    process = Process.look(pid)
    shown = process.command_line() if process else ""
    return shown if shown.startswith("workerd: ") else ""


def _environment(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")) - {""}
