"""One daemon for all tests of a module: each adds the row of its fault, and takes it away again."""

import itertools
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon, running
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.models import Job, Run

SETTINGS = "tests.process.faults.settings"
JOBS = "tests.process.faults.jobs"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def project(
    template: str, databases: Databases, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Project]:
    """A project of the whole module, whose app has the faults."""
    name = f"workerd_faults_{os.getpid()}_{next(_numbers)}"
    databases.copy(template, name)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("faults"), databases, name)
        project.extra_env["DJANGO_SETTINGS_MODULE"] = SETTINGS
        yield project
        project.close()


@pytest.fixture(scope="module")
def daemon(project: Project) -> Iterator[Daemon]:
    """The module's daemon, running; at the end it stops, and leaves nothing."""
    with running(project) as daemon:
        yield daemon


class Case:
    """One fault: its row, and what came of it."""

    def __init__(self, project: Project, daemon: Daemon) -> None:
        self.project = project
        self.daemon = daemon
        self.name = f"case-{next(_numbers)}"
        self.path = project.folder / self.name
        self._since = daemon.log.position

    def start(self, job: str = "", **fields: Any) -> Job:
        """Add the row; unless said otherwise it is not started again."""
        if job:
            fields["target"] = job if "." in job else f"{JOBS}.{job}"
        fields.setdefault("restart", "never")
        fields.setdefault("stop_timeout", 0.5)
        return self.project.add_job(self.name, **fields)

    def event(self, name: str, /, *, within: float = 30.0, **match: Any) -> dict[str, Any]:
        """Return the first such event of this case's slot, waiting for it."""
        return self.daemon.wait_event(name, within=within, since=self._since, job=self.name, **match)

    def events(self, name: str, /, **match: Any) -> list[dict[str, Any]]:
        """Return such events of this case's slots so far."""
        return self.daemon.events(name, since=self._since, job=self.name, **match)

    def row(self, run: str, within: float = 30.0) -> Run:
        """Return the run's row, once it has an end."""
        rows = self.project.runs.filter(pk=run).exclude(ended=None)
        return eventually(lambda: list(rows.all()), within, f"the end of run {run} in the table")[0]

    def last_beat(self, index: int = 0) -> float:
        """Return the wall time of the child's last beat, by its own clock."""
        path = Path(f"{self.path}.{index}")
        return float(eventually(lambda: path.exists() and path.read_text(), 30, f"the last beat in {path.name}"))

    def end(self) -> None:
        """Take the row away, and wait until nothing of it is left."""
        self.project.jobs.filter(name=self.name).delete()
        eventually(self._is_gone, 30, f"the end of {self.name}")

    def _is_gone(self) -> bool:
        return not any(slot["job_name"] == self.name for slot in self.daemon.picture()["slots"])


@pytest.fixture
def case(project: Project, daemon: Daemon) -> Iterator[Case]:
    """A fault's row, not there yet; it is taken away after the test."""
    case = Case(project, daemon)
    yield case
    case.end()


def moment(event: dict[str, Any]) -> float:
    """Return an event's time as wall seconds."""
    return datetime.fromisoformat(event["timestamp"]).timestamp()
