"""The consumers of engines that keep their tasks in the project's database, while its server is away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Server
from tests.harness.waiting import WITHIN_S

from .case import HEARTBEAT_S, Case
from .engine import NAMES, Engine, load, load_installed

pytestmark = [pytest.mark.slow, pytest.mark.many, pytest.mark.backends("postgres")]

IN_DATABASE = [name for name in NAMES if not load(name).broker]


@pytest.fixture(scope="module", params=IN_DATABASE)
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_installed(request.param)


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
    """The task that is in hand by then fails by itself, as it could not leave its mark."""
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
    assert case.events("child.hung") == case.events("child.exited") == []
