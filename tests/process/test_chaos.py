"""No database session crosses a fork, on the first start and on every restart; without the guard it does, and shows."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.chaos import (
    ALIASES,
    JOBS,
    SETTINGS,
    SPARES,
    UNGUARDED,
    Killer,
    assert_descriptors,
    count_closes,
    descriptors,
    open_shop,
    orphans_of,
    verify_books,
    wait_for_calm,
)
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

HARM = ("django.db.utils.", "psycopg2.", "psycopg.", "pymysql.", "MySQLdb.", "shop.movements.MangledRowError")
"""What a job dies of whose session another process uses too: an answer that is none, or another's."""
KILLS = int(os.environ.get("WORKERD_TEST_CHAOS_KILLS", "100"))
pytestmark = pytest.mark.slow


@pytest.fixture
def second(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a second database; asked for before the daemon, so that it is dropped after its end."""
    name = f"{template}_second"
    databases.copy(template, name)
    yield databases.url(name)
    databases.drop(name)


def test_killing_children_mangles_nothing_and_leaves_nothing(second: str, project: Project, daemon: Daemon) -> None:
    """Of the children killed each is replaced, every answer is its asker's, and no descriptor or process is left."""
    open_shop(project, second, SETTINGS)
    daemon.start()
    picture = wait_for_calm(daemon)
    ours = (daemon.pid, picture["daemon"]["forkserver_pid"])
    before = [descriptors(pid) for pid in ours]

    killer = Killer(daemon, random.randrange(10_000))
    killer.kill_children(KILLS)

    after = wait_for_calm(daemon)
    assert (daemon.pid, after["daemon"]["forkserver_pid"]) == ours, "a forkserver was lost"
    for pid, wanted in zip(ours, before, strict=True):
        assert_descriptors(pid, wanted)
    eventually(lambda: not orphans_of(daemon), what="the end of a child that is being born")
    _assert_every_death_was_ours(daemon, killer)
    _assert_nothing_was_inherited(daemon, killer)
    _assert_runs_are_recorded(project, daemon)
    daemon.stop()
    assert daemon.log.foreign_lines == []
    assert verify_books(project) == []


@pytest.mark.backends("postgres", "mysql")
def test_the_same_program_without_the_guard_fails(second: str, project: Project, daemon: Daemon) -> None:
    """With nothing closed before a fork and nothing discarded after it, children break each other's sessions."""
    open_shop(project, second, UNGUARDED)
    daemon.start(ready=False)
    daemon.wait_event("forkserver.ready", within=30)  # the killer spares it from then on
    killer = Killer(daemon, random.randrange(10_000))

    def is_harmed() -> bool:
        killer.kill_children(1)
        return len(daemon.events("job.failed", exception_type=lambda name: name.startswith(HARM))) >= 3

    eventually(is_harmed, within=120, what="harm")
    assert "ForkedConnectionError" not in daemon.log.text(), "the tripwire was not meant to help"
    daemon.clean_up()


def _assert_every_death_was_ours(daemon: Daemon, killer: Killer) -> None:
    """Nobody died of anything but our kills, nobody failed, and each killed child's slot has a newer one."""
    ends = daemon.events("child.exited")

    assert [(end["slot"], end["signal"], end["reason"]) for end in ends if end["pid"] not in killer.killed] == []
    assert {end["signal"] for end in ends} == {"SIGKILL"}
    assert daemon.events("job.failed") == []
    assert daemon.faults() == []
    births = {event["pid"] for event in daemon.events("child.born")}
    assert {end["pid"] for end in ends} == births & set(killer.killed)
    restarts = sum(slot["restarts"] for slot in daemon.picture()["slots"])
    assert restarts == len(ends)


def _assert_nothing_was_inherited(daemon: Daemon, killer: Killer) -> None:
    """Before each fork one session an alias was closed, no more and no fewer, so nothing was there to discard."""
    born = {event["pid"] for event in daemon.events("child.born")}
    killed_as_spares = set(killer.killed) - born

    forks = 2 + len(born) + len(killed_as_spares) + SPARES
    """One before COMMANDS are tried, one before ready, one a birth."""
    # The forkserver's lines come by a pipe of its own, and may come after the birth that they are about.
    eventually(lambda: count_closes(daemon) == {tuple(ALIASES): forks}, what="a close an alias before each fork")
    for name in ("connection.discarded", "fork.refused", "socket.inherited"):
        assert daemon.events(name) == []


def _assert_runs_are_recorded(project: Project, daemon: Daemon) -> None:
    """Each life is a row, and each death is on it."""
    lives = [event for event in daemon.events("child.born") if event["job"] in JOBS]
    deaths = [event for event in daemon.events("child.exited") if event["job"] in JOBS]

    eventually(lambda: project.runs.count() == len(lives), within=30, what="a row a life")
    ended = project.runs.exclude(ended=None)
    eventually(lambda: ended.count() == len(deaths), within=30, what="every death on its row")
    assert {(str(run.pk), run.outcome, run.signal) for run in ended} == {
        (event["run"], "crashed", "SIGKILL") for event in deaths
    }
