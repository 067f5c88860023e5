"""For each engine one site with its broker and one daemon; each test adds the rows of its consumers, and ends them."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.fidelity.services import open_redis
from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.process.conftest import pytest_runtest_makereport
from workerd.engines import missing_packages

from .case import Case
from .engine import NAMES, Engine, load

__all__ = ["pytest_runtest_makereport"]
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest) -> Engine:
    engine = load(request.param)
    if missing := missing_packages(engine.uses):
        pytest.skip(f"{' and '.join(missing)} is not installed")
    return engine


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with open_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def project(
    engine: Engine,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
    request: pytest.FixtureRequest,
) -> Iterator[Project]:
    """The engine's site, migrated."""
    name = f"workerd_engines_{os.getpid()}_{next(_numbers)}"
    databases.create(name)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp(engine.name), databases, name)
        project.extra_env = {"DJANGO_SETTINGS_MODULE": engine.settings, **engine.env}
        if engine.broker:
            project.extra_env["ENGINES_BROKER"] = request.getfixturevalue(engine.broker)
        done = project.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        yield project
        project.close()


@pytest.fixture(scope="module")
def daemon(project: Project) -> Iterator[Daemon]:
    """The site's daemon, running; at the end it stops, and leaves nothing."""
    daemon = Daemon(project)
    try:
        daemon.start()
        yield daemon
        daemon.stop()
    finally:
        daemon.clean_up()


@pytest.fixture
def case(engine: Engine, project: Project, daemon: Daemon, tmp_path: Path) -> Iterator[Case]:
    """A fresh name for rows and fresh numbers for tasks; afterwards the rows go, and their processes end."""
    case = Case(engine, project, daemon)
    yield case
    case.end()
