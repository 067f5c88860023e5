"""The pytest plugin: this interpreter is one backend's; for each further one a session of its own is run and relayed.

Django's settings hold for an interpreter's life, so a backend has an interpreter. The first backend runs right here,
with the tests that need none; ``relay`` runs the others one by one and reports their results as if they were ours.
"""

import functools
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import django
import django.conf
import pytest

from tests.harness import garbage
from tests.harness.properties import load_profile

from . import identity, quick, relay
from .backend import Backend, Databases
from .choice import HELP, LEFT_TO_WHOLE, Choice
from .server import GivenServer, Server, ServerError, make_folder

FOLDER = "WORKERD_TEST_FOLDER"
SETTINGS_MODULE = "tests.process.settings"
FOLDERS_PER_BACKEND = ("django", "forksafe", "process")
"""The folders of ``tests/`` whose tests run once per backend; others ask for it with the marker ``backends``."""

CHOSEN_WITH_THE_BACKEND = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "WORKERD_STATE_DIR")
ANY = "any"
"""Marks a test that is no database's business: it runs once, on the first backend of the run."""
VENDOR_NAMES = {"postgres": "postgresql"}

_choice = pytest.StashKey[Choice]()
_is_quick = pytest.StashKey[bool]()
_left_out = pytest.StashKey[int]()
_databases = pytest.StashKey[Databases]()
_folder = pytest.StashKey[Path]()
_elsewhere = pytest.StashKey[dict[Backend, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("workerd")
    group.addoption("--whole", action="store_true", help=quick.HELP)
    group.addoption("--backends", default=os.environ.get("WORKERD_TEST_BACKENDS", ""), help=HELP)
    group.addoption("--skip-any", action="store_true", help="leave out what would do on any backend")
    group.addoption("--relay-to", type=int, default=None, help="internal: the descriptor that takes the reports")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Choose the backends, and make this interpreter the first one's before a conftest imports a model."""
    garbage.collect_seldom()
    if django.conf.settings.configured or "DJANGO_SETTINGS_MODULE" in os.environ:
        raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests choose their settings with the backend")
    options = early_config.known_args_namespace
    is_quick = quick.is_meant(options)
    choice = Choice.quick() if is_quick else Choice.of(options.backends or "auto")
    folder = Path(given) if (given := os.environ.get(FOLDER)) else make_folder()
    databases = Databases(choice.run[0], folder)
    stash = early_config.stash
    stash[_is_quick] = is_quick
    stash[_choice], stash[_folder], stash[_databases], stash[_elsewhere] = choice, folder, databases, {}
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS_MODULE
    os.environ["DATABASE_URL"] = databases.url(f"workerd_{os.getpid()}")
    os.environ["WORKERD_STATE_DIR"] = str(folder / "state")
    django.setup()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the properties' examples; a further backend's session reports to the one that started it."""
    load_profile()
    if (descriptor := config.getoption("relay_to")) is not None:
        config.pluginmanager.register(relay.Reporter(config, descriptor), "workerd-reporter")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started; the folder goes with the session that made it."""
    garbage.look_at_all_again()
    if _databases in config.stash:
        config.stash[_databases].close()
        if FOLDER not in os.environ:
            shutil.rmtree(config.stash[_folder], ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash[_choice].lines()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read a file of which ``--skip-any`` leaves nothing: most of a run's collection is the unit tests'."""
    if not config.option.skip_any or not collection_path.match("test_*.py"):
        return None
    is_bound = _is_per_backend(collection_path, config.rootpath) or "mark.backends" in collection_path.read_text()
    return None if is_bound else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the command line leaves to other runs."""
    if config.stash[_is_quick]:
        config.stash[_left_out] = quick.leave_out_slow(config, items)
    if config.option.skip_any:
        backend = config.stash[_choice].run[0]
        elsewhere = {item for item in items if not _is_bound(item) or not _is_for(item, backend, first=False)}
        items[:] = [item for item in items if item not in elsewhere]
        config.hook.pytest_deselected(items=list(elsewhere))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """Say what was left out just above the closing line, where a newcomer looks."""
    yield
    if config.stash[_is_quick]:
        choice = config.stash[_choice]
        others = [name for name, reason in choice.left_out.items() if reason == LEFT_TO_WHOLE]
        terminalreporter.write_line(quick.sentence(config.stash.get(_left_out, 0), others))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Divide the tests among the backends, and see that our own one is what it says."""
    garbage.leave_out_the_imported()
    choice = session.config.stash[_choice]
    here, *others = choice.run
    bound = [item for item in session.items if _is_bound(item)]
    elsewhere = {other: [item.nodeid for item in bound if _is_for(item, other, first=False)] for other in others}
    session.config.stash[_elsewhere] = {other: nodeids for other, nodeids in elsewhere.items() if nodeids}
    for item in bound:
        if not any(_is_for(item, backend) for backend in choice.run):
            item.add_marker(pytest.mark.skip(reason=f"for {', '.join(_wanted(item))}, which this run does not include"))
        elif not _is_for(item, here):
            session.items.remove(item)
    if not session.config.option.collectonly and any(_is_for(item, here) for item in bound):
        _introduce(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """After our own tests, run the other backends'."""
    if session.config.option.collectonly:
        return (yield)
    result = yield
    stash, elsewhere = session.config.stash, session.config.stash[_elsewhere]
    env = {name: value for name, value in os.environ.items() if name not in CHOSEN_WITH_THE_BACKEND}
    env[FOLDER] = str(stash[_folder])
    stash[_databases].close()
    for backend, nodeids in elsewhere.items():
        relay.run_session(session, backend, nodeids, env)
    return result


@pytest.fixture(scope="session")
def databases(pytestconfig: pytest.Config) -> Databases:
    """The test run's databases, on a server that runs."""
    databases = pytestconfig.stash[_databases]
    if databases.server is not None:
        databases.server.ensure_started()
    return databases


@pytest.fixture(scope="session")
def backend(databases: Databases) -> Backend:
    """The backend that this interpreter is for."""
    return databases.backend


@pytest.fixture
def database_server(databases: Databases) -> Server | GivenServer:
    """The test run's server; skips on SQLite."""
    if databases.server is None:
        pytest.skip("SQLite has no server")
    return databases.server


@pytest.fixture
def new_server(backend: Backend) -> Iterator[Callable[[], Server]]:
    """Return a function that starts a throw-away server of the test's own, to stop and kill."""
    if reason := _lacks_binaries(backend):
        pytest.skip(reason)
    started: list[Server] = []

    def start() -> Server:
        started.append(backend.new_server())
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.close()


def _lacks_binaries(backend: Backend) -> str:
    from . import mysql, postgres

    if backend.vendor == "sqlite":
        return "SQLite has no server"
    found = postgres.find_binaries() if backend.vendor == "postgresql" else mysql.find_server()
    return "" if found else f"no server for {backend.name} is installed to start one's own"


def _introduce(config: pytest.Config) -> None:
    databases = config.stash[_databases]
    try:
        if databases.server is not None:
            databases.server.ensure_started()
        line = identity.describe(databases.backend, databases)
    except (ServerError, identity.WrongBackendError) as error:
        raise pytest.UsageError(str(error)) from error
    reporter = config.pluginmanager.get_plugin("workerd-reporter")
    if reporter is not None:
        reporter.introduce(line)
    elif (terminal := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        terminal.write_line(line)


def _is_bound(item: pytest.Item) -> bool:
    return _is_per_backend(item.path, item.config.rootpath) or item.get_closest_marker("backends") is not None


@functools.cache
def _is_per_backend(path: Path, root: Path) -> bool:
    return any(path.is_relative_to(root / "tests" / folder) for folder in FOLDERS_PER_BACKEND)


def _is_for(item: pytest.Item, backend: Backend, *, first: bool = True) -> bool:
    wanted = {VENDOR_NAMES.get(name, name) for name in _wanted(item)}
    return not wanted or not wanted.isdisjoint({backend.name, backend.vendor, ANY if first else ""})


def _wanted(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("backends")
    return marker.args if marker else ()
