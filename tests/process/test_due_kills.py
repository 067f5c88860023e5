"""The daemon killed in each phase of a due moment: at most once, or at least once, as the row says."""

import math
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.wire.words import Restart

TARGET = "tests.process.faults.jobs.write_begin_and_end"
KILLS = int(os.environ.get("WORKERD_TEST_DUE_KILLS", "200"))
LONGEST_S = 40.0
RUNS_S = 0.3
AHEAD_S = 1.5
"""So long before its moment a row is written, at least."""


@pytest.fixture
def project(project: Project) -> Project:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    return project


@dataclass
class Row:
    """One row that is due once, and the file in which its runs leave what they have done."""

    name: str
    path: Path
    moment: float
    restart: Restart

    def create(self, project: Project) -> None:
        due = datetime.fromtimestamp(self.moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
        project.add_job(
            self.name,
            target=TARGET,
            kwargs={"path": str(self.path), "seconds": RUNS_S},
            schedule=f"at {due}",
            time_zone="UTC",
            restart=self.restart,
            start_within=60.0,
        )

    def lines(self, word: str) -> list[str]:
        """Return the runs that have written this word."""
        text = self.path.read_text() if self.path.exists() else ""
        return [run for found, run in map(str.split, text.splitlines()) if found == word]


Phase = Callable[[Row, random.Random], None]
"""Waits until the row's due moment has come so far."""


def wait_for_line(row: Row, word: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not row.lines(word):
        assert time.monotonic() < deadline, f"no {word!r} of {row.name}"
        time.sleep(0.001)


def before_the_licence(row: Row, dice: random.Random) -> None:
    """The moment comes, the start is written down, the birth is asked for."""
    time.sleep(max(0.0, row.moment - time.time() + dice.uniform(0.0, 0.02)))  # the moment is what is tried


def while_it_runs(row: Row, dice: random.Random) -> None:
    wait_for_line(row, "begin")
    time.sleep(dice.uniform(0.0, 0.8 * RUNS_S))  # the moment is what is tried


def after_its_work(row: Row, dice: random.Random) -> None:
    """The work is done; the process ends, and is reaped."""
    wait_for_line(row, "end")
    time.sleep(dice.uniform(0.0, 0.02))  # the moment is what is tried


def before_the_record(row: Row, dice: random.Random) -> None:
    """The process has ended; its end is on the way to the ledger, its journal and the database."""
    wait_for_line(row, "end")
    time.sleep(dice.uniform(0.02, 0.06))  # the moment is what is tried


PHASES: list[Phase] = [before_the_licence, while_it_runs, after_its_work, before_the_record]


def write_rows(project: Project, folder: Path, number: int) -> Iterator[Row]:
    moment = math.ceil(time.time() + AHEAD_S)
    for restart in (Restart.NEVER, Restart.ON_FAILURE):
        name = f"{restart.replace('_', '-')}-{number}"
        row = Row(name, folder / name, moment, restart)
        row.create(project)
        yield row


def check(project: Project, row: Row, seed: str) -> None:
    """The history has what the file says, and each due moment has its row."""
    begun, ended = row.lines("begin"), row.lines("end")
    runs = list(project.runs.filter(job_name=row.name))
    told = {str(run.pk): run.outcome for run in runs}
    about = f"{row.name}, {seed}: {begun=} {ended=} {told=}"

    assert all(told.values()), about
    assert {run.due for run in runs} == {datetime.fromtimestamp(row.moment, UTC)}, about
    if row.restart == Restart.NEVER:
        assert set(begun) <= set(told), about
        assert len(begun) <= 1, about
        assert len(runs) == 1, about
    else:
        assert len(ended) >= 1, about
        assert len(begun) <= 2, about
        assert set(begun[-1:]) <= set(told), about  # of the killed one, the ledger may not have heard yet
    if not ended:
        assert set(told.values()) <= {"lost", "missed", "stopped", "crashed", "killed"}, about


@pytest.mark.slow
def test_no_due_moment_is_lost_or_repeated(project: Project, daemon: Daemon, tmp_path: Path) -> None:
    number = random.randrange(10_000)
    dice = random.Random(number)
    daemon.start()
    for kill in range(KILLS):
        seed, phase = f"kill {kill} of seed {number}", PHASES[kill % len(PHASES)]
        rows = list(write_rows(project, tmp_path, kill))
        eventually(lambda: all(daemon.slot(row.name) for row in rows), 30, "the rows")  # noqa: B023
        phase(rows[kill // len(PHASES) % 2], dice)
        daemon.kill()
        daemon.start(within=LONGEST_S)
        for row in rows:
            daemon.wait_state(row.name, "DONE", within=LONGEST_S)
            with suppress(AssertionError):
                eventually(lambda: check(project, row, seed), 30)  # noqa: B023
            check(project, row, seed)
        project.jobs.filter(name__in=[row.name for row in rows]).delete()
        eventually(lambda: not any(daemon.slot(row.name) for row in rows), 30, "no rows")  # noqa: B023
