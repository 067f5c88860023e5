"""Fixtures of the process tests: a project with a fresh database, the daemon on it, and its log when a test fails."""

import itertools
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.project import MANAGE, ROOT, SETTINGS_MODULE, Project

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def template(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated database, to copy: migrating is the slow part."""
    name = f"workerd_template_{os.getpid()}_{next(_numbers)}"  # the browser tests make a fixture of their own of this
    databases.create(name)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE,
        "DATABASE_URL": databases.url(name),
        "PYTHONPATH": str(ROOT),
        "WORKERD_STATE_DIR": str(tmp_path_factory.mktemp("template")),
    }
    done = subprocess.run(
        [sys.executable, str(MANAGE), "migrate", "--verbosity=0"], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"migrate ended with {done.returncode}:\n{done.stderr}")
    yield name
    databases.drop(name)


@pytest.fixture
def project(
    template: str, databases: Databases, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Project]:
    """A project on a fresh, migrated database; the test may use its rows."""
    name = f"workerd_{os.getpid()}_{next(_numbers)}"
    databases.copy(template, name)
    with django_db_blocker.unblock():
        project = Project(tmp_path, databases, name)
        yield project
        project.close()


@pytest.fixture
def empty_project(databases: Databases, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Project]:
    """A project whose database was never migrated."""
    name = f"workerd_{os.getpid()}_{next(_numbers)}"
    databases.create(name)
    with django_db_blocker.unblock():
        project = Project(tmp_path, databases, name)
        yield project
        project.close()


@pytest.fixture
def daemon(project: Project) -> Iterator[Daemon]:
    """The project's daemon, not started; if the test leaves it running, it is stopped and must leave nothing behind."""
    daemon = Daemon(project)
    try:
        yield daemon
        if daemon.is_running:
            daemon.stop()
    finally:
        daemon.clean_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the daemon said, or each of several."""
    report = yield
    used = getattr(item, "funcargs", {})
    daemons = [
        used.get("daemon"),
        getattr(used.get("alerted"), "daemon", None),
        *getattr(used.get("nodes"), "daemons", {}).values(),
    ]
    for daemon in daemons if report.failed else ():
        if isinstance(daemon, Daemon):
            report.sections.append(("the daemon's log", daemon.report()))
    return report
