"""Case 43: every node reaches PostgreSQL through PgBouncer in transaction mode, and no session is reset."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.pgbouncer import PgBouncer, find_pgbouncer
from tests.harness.project import Project
from tests.harness.waiting import eventually
from tests.process.conftest import template  # noqa: F401 - a fixture

from .fleet import Fleet, R
from .network import missing
from .test_one_seat import (
    test_a_graceful_stop_hands_over_after_the_reaping,
    test_a_holder_that_is_cut_off_has_ended_before_another_takes_over,
    test_a_killed_daemon_has_its_seat_back_at_once,
    test_a_short_cut_changes_nothing,
    test_another_node_takes_over_from_one_that_is_gone,
    test_nobody_takes_over_while_the_server_restarts,
    test_three_nodes_start_one_process,
)

__all__ = [
    "test_a_graceful_stop_hands_over_after_the_reaping",
    "test_a_holder_that_is_cut_off_has_ended_before_another_takes_over",
    "test_a_killed_daemon_has_its_seat_back_at_once",
    "test_a_short_cut_changes_nothing",
    "test_another_node_takes_over_from_one_that_is_gone",
    "test_nobody_takes_over_while_the_server_restarts",
    "test_three_nodes_start_one_process",
]
pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "postgres-psycopg")]


@pytest.fixture(scope="module")
def nodes(
    template: str,  # noqa: F811
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Fleet]:
    """The fleet of the other tests, behind the pooler; what it lends are fewer sessions than the nodes have clients."""
    if lacks := missing() or ("" if find_pgbouncer() else "PgBouncer is not installed"):
        pytest.skip(lacks)
    name = f"{template}_pooled"
    databases.copy(template, name)
    assert databases.server is not None
    pooler = PgBouncer(databases.server.address, sessions=4)
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("pooled"), databases, name)
        try:
            pooler.start()
            fleet = Fleet(project, databases)
            try:
                fleet.network.relay(pooler.address)
                yield fleet
            finally:
                fleet.close()
        finally:
            pooler.close()
            project.close()


def test_no_node_is_pushed_and_a_released_seat_is_found_at_the_next_look(fleet: Fleet) -> None:
    fleet.add("polled", "witness")
    before = fleet.wait_running("polled:0", 60)
    holder = fleet.node(before.node)
    eventually(lambda: _pushed(fleet) == [False] * 3, 30, "every node to have tried a NOTIFY")
    assert holder.ask({"verb": "drain", "wait": False})["ok"]
    released = holder.wait_event("seat.released", within=30, token=before.token)
    after = fleet.wait_running("polled:0", R + 5.0, since=before.ended)
    assert holder.ask({"verb": "drain", "way": "undo"})["ok"]

    assert (released["token"], after.node != before.node) == (before.token, True)
    assert _pushed(fleet) == [False] * 3


def _pushed(fleet: Fleet) -> list[bool | None]:
    """Return what each node says of push, None where it does not know yet."""
    return [node.picture()["daemon"]["database"]["push"] for node in fleet.nodes]
