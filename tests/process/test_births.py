"""Births have owners, whenever their forkserver dies and however soon the child does."""

import copy
import itertools
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.harness.chaos import wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

from .births import WAYS, assert_births_have_owners, assert_way, read_reports

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
JOBS = "tests.process.probes.jobs"
FORKSERVERS_KILLED = int(os.environ.get("WORKERD_TEST_FORKSERVERS_KILLED", "200"))
DAEMONS, WITHIN_S = 4, 0.020
SHORT_LIVES, SLOTS = int(os.environ.get("WORKERD_TEST_SHORT_LIVES", "500")) // len(WAYS), 4


@pytest.fixture
def new_daemon(project: Project, tmp_path: Path) -> Iterator[Callable[[str], Daemon]]:
    """Return a function that starts one more daemon on the project's rows; births take as many forks as it is told."""
    project.extra_env = {"DJANGO_SETTINGS_MODULE": "tests.process.probes.settings"}
    daemons: list[Daemon] = []
    numbers = itertools.count(1)

    def start(way: str) -> Daemon:
        own = copy.copy(project)
        own.settings = project.settings | {"PRELOAD": WAYS[way]}
        own.name = f"tests-{next(numbers)}"
        own.mark = f"WORKERD_TEST_PROJECT={uuid.uuid4().hex}"
        own.folder = tmp_path / own.name
        own.state_dir = own.folder / "state"
        own.folder.mkdir()
        daemons.append(Daemon(own))
        daemons[-1].start()
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.clean_up()
        (daemon.project.folder / "log").write_text(daemon.report())


def test_a_forkserver_killed_right_after_a_request_leaves_no_child_that_nobody_knows(
    project: Project, new_daemon: Callable[[str], Daemon], tmp_path: Path
) -> None:
    """The forkserver is killed within 20 ms of a birth request, again and again, over four daemons side by side.

    Two of them bear their children by one fork, and two by two.
    """
    kwargs = {"folder": str(tmp_path)}
    project.add_job("stay", target=f"{JOBS}.stay_alone", kwargs=kwargs, processes=SLOTS, backoff_initial=0)
    ways = (*WAYS,) * (DAEMONS // len(WAYS))
    daemons = [new_daemon(way) for way in ways]

    with ThreadPoolExecutor(DAEMONS) as pool:
        killed = list(pool.map(_kill_forkservers, daemons, [FORKSERVERS_KILLED // DAEMONS] * DAEMONS))

    for daemon, pids, way in zip(daemons, killed, ways, strict=True):
        wait_for_calm(daemon, SLOTS)
        assert_way(daemon, way)
        assert len(daemon.events("forkserver.exited", signal="SIGKILL")) == FORKSERVERS_KILLED // DAEMONS
        assert_births_have_owners(daemon, daemon.project.folder)
        ends = daemon.events("child.exited")
        assert [end for end in ends if (end["signal"], end["pid"] in pids) != ("SIGKILL", True)] == []
        daemon.stop()


@pytest.mark.parametrize("way", WAYS)
def test_hundreds_of_children_that_end_at_once_end_as_they_did(
    project: Project, new_daemon: Callable[[str], Daemon], tmp_path: Path, way: str
) -> None:
    """Each exit code and each signal is the child's own, although it was gone before anybody looked."""
    kwargs = {"folder": str(tmp_path)}
    project.add_job("end", target=f"{JOBS}.end_at_once", kwargs=kwargs, processes=SLOTS, backoff_initial=0)
    daemon = new_daemon(way)

    daemon.wait_events("child.exited", SHORT_LIVES, within=240)
    project.edit_job("end", enabled=False)
    for index in range(SLOTS):
        daemon.wait_state(f"end:{index}", "STOPPED")

    assert_way(daemon, way)
    assert_births_have_owners(daemon, daemon.project.folder)
    announced = {report.run: report.end for report in read_reports(daemon.project.folder)}
    ends = [end for end in daemon.events("child.exited") if end["run"] in announced]
    assert [(_logged(end), announced[end["run"]]) for end in ends if _logged(end) != announced[end["run"]]] == []
    assert len(ends) >= SHORT_LIVES
    eventually(lambda: project.runs.exclude(ended=None).count() == len(daemon.events("child.exited")), within=30)
    daemon.stop()


def _kill_forkservers(daemon: Daemon, times: int) -> set[int]:
    """Have a child born, kill the forkserver at a random moment of that, and wait until all is well; again."""
    dice = random.Random()
    killed: set[int] = set()
    for _ in range(times):
        picture = wait_for_calm(daemon, SLOTS)
        children = [slot["pid"] for slot in picture["slots"] if not slot["builtin"]]
        chosen = dice.sample(children, 3)  # two spares are there: the third one needs a birth
        killed.update(chosen)
        for pid in chosen:
            os.kill(pid, signal.SIGKILL)
        time.sleep(dice.uniform(0, WITHIN_S))  # the moment is what is tried
        os.kill(picture["daemon"]["forkserver_pid"], signal.SIGKILL)
        daemon.wait_event("forkserver.exited", within=30, forkserver_pid=picture["daemon"]["forkserver_pid"])
        for pid in chosen:
            daemon.wait_event("child.exited", within=30, pid=pid)
    return killed


def _logged(end: dict[str, Any]) -> str:
    if end.get("signal"):
        return f"signal {int(signal.Signals[end['signal']])}"
    return f"code {end['exit_code']}"
