"""The shipped units under a real systemd, as PID 1 of namespaces of its own. What it is asked is ``systemctl show``."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.project import ROOT, Project
from tests.harness.systemd.machine import Machine, missing
from tests.harness.systemd.unit import UNITS, Unit, drop_in, kept_paths
from tests.harness.waiting import eventually
from workerd.wire.asking import ask

from .typed.pages import collect
from .typed.places import Place, find_place
from .typed.shell import Shell

STATE_DIR = "/var/lib/workerd"
JOBS: dict[str, dict[str, Any]] = {
    "idle": {"processes": 2},
    "ignore-stop": {"stop_timeout": 0.5},
    "stop-slowly": {"enabled": False, "kwargs": {"takes": 3.0}},
    "eat": {"enabled": False, "kwargs": {"mib": 1000, "every": 0.001}},
}
SLOTS = ("idle:0", "idle:1")
LIMITS = "[Service]\nMemoryMax=300M\nTimeoutStopSec=1s\n"
WAITS = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists():\n    time.sleep(0.05)\n"
MOST_EXPOSED = 2.0
"""What ``systemd-analyze security`` calls OK begins here and goes down to 0."""

pytestmark = [
    pytest.mark.backends("sqlite"),
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing()) and "WORKERD_REQUIRE_SYSTEMD" not in os.environ, reason=f"no systemd: {missing()}"
    ),
]


@pytest.fixture(scope="module")
def project(
    template: str,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Project]:
    """One project for all of these tests, with a module that a release may break."""
    databases.copy(template, "systemd")
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("systemd"), databases, "systemd")
        (project.folder / "released.py").write_text("")
        project.extra_env["PYTHONPATH"] = f"{ROOT}:{project.folder}"
        for name, fields in JOBS.items():
            project.add_job(name, backoff_initial=0, **fields)
        yield project
        project.close()


@pytest.fixture(scope="module")
def machine(project: Project) -> Iterator[Machine]:
    machine = Machine(project.folder, kept_paths(project))
    template = (UNITS / "workerd@.service").read_text()
    machine.boot(
        {
            "workerd.service": (UNITS / "workerd.service").read_text(),
            "workerd.service.d/here.conf": drop_in(project, STATE_DIR, PRELOAD=["released"], MAX_UNAVAILABLE=9)
            + LIMITS,
            "workerd@.service": template,
            "workerd@shop.service.d/here.conf": drop_in(project, f"{STATE_DIR}/shop", NAME="shop"),
            "workerd@misconfigured.service.d/here.conf": drop_in(project, STATE_DIR, POLL_SECONDS=-1),
        }
    )
    yield machine
    machine.switch_off()


@pytest.fixture
def stopped(machine: Machine, project: Project) -> Unit:
    """The service, not running."""
    unit = Unit(machine, "workerd.service", project, STATE_DIR)
    assert unit.systemctl("stop") == 0
    assert unit.processes() == set()
    return unit


@pytest.fixture
def unit(machine: Machine, project: Project) -> Unit:
    """The service with its jobs running, perhaps since an earlier test."""
    unit = Unit(machine, "workerd.service", project, STATE_DIR)
    assert unit.systemctl("start") == 0
    unit.pids(*SLOTS)
    return unit


def test_it_is_up_when_every_job_has_left_its_first_start_and_says_how_it_is(stopped: Unit, project: Project) -> None:
    unit, go = stopped, project.folder / "go"
    project.add_job("ready-when-told", signals_ready=True, kwargs={"path": str(go)})
    try:
        assert unit.systemctl("start", "--no-block") == 0
        unit.pids(*SLOTS)
        assert unit.show("ActiveState") == "activating"

        go.touch()

        unit.wait(ActiveState="active", SubState="running")
        unit.wait(StatusText="4 of 4 running; database reachable (sqlite)")
        assert unit.show("NRestarts") == "0"
    finally:
        project.jobs.filter(name="ready-when-told").delete()


def test_a_stopped_daemon_is_killed_by_the_watchdog_and_comes_back_with_its_jobs(unit: Unit) -> None:
    before, restarts = unit.processes(), int(unit.show("NRestarts"))

    assert unit.systemctl("kill", "--kill-whom=main", "--signal=STOP") == 0

    unit.wait(NRestarts=str(restarts + 1), ActiveState="active", Result="success")
    unit.pids(*SLOTS)
    assert not before & unit.processes()
    unit.wait_journal("Watchdog timeout")


def test_a_killed_daemon_leaves_nobody_in_its_control_group_and_comes_back(unit: Unit) -> None:
    before, restarts = unit.processes(), int(unit.show("NRestarts"))

    assert unit.systemctl("kill", "--kill-whom=main", "--signal=KILL") == 0

    unit.wait(NRestarts=str(restarts + 1), ActiveState="active")
    unit.pids(*SLOTS)
    assert not before & unit.processes()


def test_a_reload_keeps_the_daemon_and_one_of_broken_code_fails_and_changes_nothing(
    unit: Unit, project: Project
) -> None:
    daemon, first = unit.show("MainPID"), unit.pids(*SLOTS)

    assert unit.systemctl("reload") == 0

    second = unit.pids(*SLOTS)
    unit.wait(MainPID=daemon, ActiveState="active", SubState="running")
    assert not set(first) & set(second)
    rejected = len(unit.events("forkserver.rejected"))
    (project.folder / "released.py").write_text("raise RuntimeError('not today')\n")
    try:
        assert unit.systemctl("reload") != 0
    finally:
        (project.folder / "released.py").write_text("")
    unit.wait(MainPID=daemon, ActiveState="active", SubState="running")
    assert unit.pids(*SLOTS) == second
    assert "not today" in unit.wait_events("forkserver.rejected", rejected + 1)[-1]["reason"]
    eventually(lambda: "reload: the new generation was rejected" in unit.show("StatusText"), 60, "the status line")


def test_a_hang_up_is_a_reload_that_systemd_sees(unit: Unit, project: Project) -> None:
    first, go = unit.pids(*SLOTS), project.folder / "go-on"
    (project.folder / "released.py").write_text(WAITS.format(go=str(go)))
    try:
        assert unit.systemctl("kill", "--kill-whom=main", "--signal=HUP") == 0

        unit.wait(ActiveState="reloading")
        go.touch()
        unit.wait(ActiveState="active")
        assert not set(first) & set(unit.pids(*SLOTS))
    finally:
        (project.folder / "released.py").write_text("")


def test_a_stop_is_a_success_within_the_jobs_time_out(unit: Unit) -> None:
    assert len(unit.processes()) >= len(("daemon", "forkserver", "ledger", "idle:0", "idle:1", "ignore-stop"))
    killed = len(unit.events("child.killed"))

    assert unit.systemctl("stop") == 0

    assert unit.processes() == set()
    assert (unit.show("ActiveState"), unit.show("Result"), unit.show("ExecMainStatus")) == ("inactive", "success", "0")
    assert unit.wait_events("child.killed", killed + 1)[-1]["slot"] == "ignore-stop"


def test_a_job_that_needs_longer_than_the_unit_s_time_out_is_waited_for(unit: Unit, project: Project) -> None:
    assert unit.show("TimeoutStopUSec") == "1s"
    project.edit_job("stop-slowly", enabled=True)
    try:
        unit.pids("stop-slowly")

        assert unit.systemctl("stop") == 0
    finally:
        project.edit_job("stop-slowly", enabled=False)

    end = unit.wait_events("child.exited", slot="stop-slowly")[-1]
    assert (end["outcome"], end["seconds"] > 3) == ("stopped", True)
    assert (unit.show("Result"), unit.show("ExecMainStatus")) == ("success", "0")


def test_shutting_it_down_by_the_command_does_not_bring_it_back(unit: Unit, project: Project) -> None:
    assert ask(unit.machine.path(STATE_DIR), project.name, {"verb": "shutdown"}, 5) == {"ok": True}

    unit.wait(ActiveState="inactive", Result="success")


def test_bad_settings_are_not_tried_again(machine: Machine, project: Project) -> None:
    unit = Unit(machine, "workerd@misconfigured.service", project, STATE_DIR)

    assert unit.systemctl("start") != 0

    assert (unit.show("ActiveState"), unit.show("ExecMainStatus"), unit.show("NRestarts")) == ("failed", "78", "0")
    unit.wait_journal("POLL_SECONDS")


def test_a_child_that_runs_out_of_memory_is_replaced_and_takes_neither_sibling_nor_unit_with_it(
    unit: Unit, machine: Machine, project: Project
) -> None:
    """By the unit's own MemoryMax=."""
    if not machine.limits_memory and "WORKERD_REQUIRE_SYSTEMD" not in os.environ:
        pytest.skip("systemd has no memory controller here")
    assert unit.show("MemoryMax") == str(300 << 20)
    siblings, daemon, restarts = unit.pids(*SLOTS), unit.show("MainPID"), unit.show("NRestarts")
    project.edit_job("eat", enabled=True)
    try:
        unit.wait_events("child.exited", 2, slot="eat")  # a successor's, too
    finally:
        project.edit_job("eat", enabled=False)

    first, second, *_ = unit.events("child.exited", slot="eat")
    for end in (first, second):
        assert (end["outcome"], end["signal"]) == ("crashed", "SIGKILL")
        assert end["reason"] == "out of memory: killed by the kernel, as its cgroup counts"
    assert first["pid"] != second["pid"]
    assert unit.pids(*SLOTS) == siblings
    assert (unit.show("MainPID"), unit.show("ActiveState"), unit.show("Result")) == (daemon, "active", "success")
    assert unit.show("NRestarts") == restarts


def test_the_journal_is_read_by_tail(unit: Unit, machine: Machine, project: Project) -> None:
    unit.wait_events("daemon.ready", len(unit.wait_events("daemon.started")))
    done = project.manage("workerd", "tail", "--event", "daemon.*", "-", text=unit.journal())

    names = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert names[-2:] == ["daemon.started", "daemon.ready"], done.stderr


def test_the_command_lines_of_the_pages_do_what_they_are_there_for(
    unit: Unit, machine: Machine, project: Project
) -> None:
    shell = Shell(project.folder / "shell", project.env)
    shell.env["WORKERD_STATE_DIR"] = STATE_DIR
    env = [f"{name}={value}" for name, value in shell.env.items()]
    for line in (line for line in collect() if find_place(line) is Place.SYSTEMD):
        done = machine.run("env", "--chdir", str(shell.folder), *env, *shell.command(line.text))

        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert unit.show("UnitFileState") == "enabled"
    assert machine.show("workerd@shop.service", "ActiveState") == "active"
    assert machine.run("systemctl", "disable", "--now", "workerd@shop").returncode == 0


def test_the_units_are_the_same_but_for_their_names() -> None:
    units = ("workerd.service", "workerd@.service")
    single, template = ((UNITS / name).read_text().partition("[Unit]")[2] for name in units)

    assert (
        single.replace("shop", "%i")
        .replace("workerd\nState", "workerd/%i\nState")
        .replace("workerd: WORKERD", "workerd/%i: WORKERD")
        == template
    )


def test_the_unit_is_as_hard_as_the_page_says() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / "workerd.service")],
        capture_output=True,
        text=True,
        check=True,
    )

    figure = re.search(r"Overall exposure level for workerd.service: ([0-9.]+)", done.stdout)
    assert figure is not None, done.stdout
    assert float(figure[1]) < MOST_EXPOSED
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert f"of systemd {version} gives the unit {figure[1]} " in page or version != "252"
