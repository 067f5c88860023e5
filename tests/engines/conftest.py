"""For each engine one site with its broker and one daemon; each test adds the rows of its consumers, and ends them."""

import itertools
import os
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon, running
from tests.harness.project import Project
from tests.process.conftest import pytest_runtest_makereport

from .brokers import Broker, RabbitMQ, Redis
from .case import Case
from .engine import NAMES, Engine, load, load_installed

__all__ = ["pytest_runtest_makereport"]
_numbers = itertools.count(1)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.many] if load(name).seldom else []) for name in NAMES],
)
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_installed(request.param)


@pytest.fixture(scope="session")
def redis() -> Iterator[Broker]:
    yield from _broker(Redis)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    yield from _broker(RabbitMQ)


def _broker(kind: type[Broker]) -> Iterator[Broker]:
    if kind.missing:
        pytest.skip(kind.missing)
    broker = kind()
    try:
        broker.launch()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session", autouse=True)
def brokers(request: pytest.FixtureRequest) -> None:
    """Launch the broker that takes seconds, so that it starts beside what comes before its first use."""
    wanted = {item.callspec.params.get("engine") for item in request.session.items if hasattr(item, "callspec")}
    if not RabbitMQ.missing and any(load(name).broker == "rabbitmq" for name in wanted & set(NAMES)):
        request.getfixturevalue("rabbitmq")


@pytest.fixture(scope="module")
def broker(engine: Engine, request: pytest.FixtureRequest) -> Broker | None:
    """The engine's broker, which answers; None where the engine keeps its tasks in the database."""
    if not engine.broker:
        return None
    broker: Broker = request.getfixturevalue(engine.broker)
    broker.ensure_started()
    return broker


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
            project.extra_env["ENGINES_BROKER"] = request.getfixturevalue(engine.broker).url
        done = project.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        request.getfixturevalue("broker")  # only now, as it may still be starting
        yield project
        project.close()


@pytest.fixture(scope="module")
def daemon(project: Project) -> Iterator[Daemon]:
    """The site's daemon, running; at the end it stops, and leaves nothing."""
    with running(project) as daemon:
        yield daemon


@pytest.fixture
def case(engine: Engine, project: Project, daemon: Daemon, broker: Broker | None) -> Iterator[Case]:
    """A fresh name for rows and fresh numbers for tasks; afterwards the rows go, and their processes end."""
    case = Case(engine, project, daemon, broker)
    yield case
    case.end()
