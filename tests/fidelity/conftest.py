"""Fixtures: the servers, and a function that makes the stage of a run."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import BACKENDS, Databases
from tests.harness.backends.server import make_folder
from tests.harness.project import MANAGE, Project

from .case import load
from .environment import python_for
from .services import MissingServerError, open_postgres, open_receiver, open_redis
from .stage import REDIS, Stage

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Databases in files."""
    return Databases(BACKENDS["sqlite"], tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], Databases]]:
    """Return a function that returns the databases of a PostgreSQL, started at its first call."""
    with contextlib.ExitStack() as stack:
        started: list[Databases] = []

        def start() -> Databases:
            if not started:
                started.append(open_postgres(make_folder()))
                stack.callback(started[0].close)
            return started[0]

        yield start


@contextlib.contextmanager
def skipping() -> Iterator[None]:
    """Skip a test whose server is not installed, unless its cases were asked for, as CI asks for its own."""
    try:
        yield
    except MissingServerError as error:
        if os.environ.get("WORKERD_TEST_FIDELITY"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def new_stage(
    sqlite: Databases, postgres: Callable[[], Databases], tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Callable[[str, str], AbstractContextManager[Stage]]:
    """Return a function that opens a stage for the run called so of a case; each has all of its own, one at a time."""

    @contextlib.contextmanager
    def open_stage(name: str, run: str) -> Iterator[Stage]:
        case = load(name)
        folder = tmp_path / run
        folder.mkdir()
        with skipping():
            databases = postgres() if "postgres" in case.needs else sqlite
        database = f"fidelity_{os.getpid()}_{next(_numbers)}"
        databases.create(database)
        with contextlib.ExitStack() as stack:
            stack.enter_context(django_db_blocker.unblock())
            project = Project(folder, databases, database)
            stack.callback(project.close)
            project.command = [str(python_for(name, case)), str(MANAGE)]
            stage = Stage(name, case, project)
            if "redis" in case.needs:
                with skipping():
                    stage.servers[REDIS] = stack.enter_context(open_redis(tmp_path))
            if "receiver" in case.needs:
                stage.servers["FIDELITY_RECEIVER"], stage.received = stack.enter_context(open_receiver())
            stage.prepare()
            yield stage

    return open_stage
