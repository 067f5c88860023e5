"""The consumers of engines that keep their tasks in the project's database, while its server is away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Server
from tests.harness.waiting import WITHIN_S

from .case import HEARTBEAT_S, Case
from .engine import NAMES, load

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("postgres")]

IN_DATABASE = [name for name in NAMES if not load(name).broker]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("engine", [load(name) for name in IN_DATABASE], ids=IN_DATABASE, scope="module")


@pytest.fixture(scope="module")
def server(databases: Databases) -> Server:
    assert isinstance(databases.server, Server)
    return databases.server


@pytest.fixture(scope="module")
def databases(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Those of a server that a story may stop."""
    folder: Path = tmp_path_factory.mktemp("databases")
    own = Databases(databases.backend, folder)
    own.server = databases.backend.new_server()
    own.server.start()
    yield own
    own.close()


def test_a_database_that_is_away_is_waited_for(case: Case, server: Server) -> None:
    """The task that was in hand by then could not say that it is done; the engine decides what becomes of it."""
    case.start()
    (number,) = case.enqueue(1, seconds=3.0)
    case.wait_began(number)
    silent = case.fall_silent(1.5 * HEARTBEAT_S)

    case.project.disconnect()
    server.stop()
    try:
        case.daemon.wait_event("child.hung", job=silent, within=1.5 * HEARTBEAT_S + WITHIN_S)
    finally:
        server.start()

    case.wait_done(case.enqueue(3), within=60)
    if case.engine.after_kill == "again":
        case.wait_done([number], within=case.engine.again_within)
    assert case.events("child.hung") == case.events("child.exited") == []
