"""Clocks that are set, or that pass over a sleep, the server's and the nodes': no value of a clock moves a seat."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Server, make_folder
from tests.harness.project import ALIAS
from tests.harness.waiting import eventually
from tests.process.conftest import template  # noqa: F401 - a fixture
from tests.soak.clock import WallClock, start_server
from workerd.models.clock import read_now, read_seconds
from workerd.wire.lease import boot_time

from .fleet import F, Fleet, R, need, opened
from .node import FleetNode

pytestmark = pytest.mark.slow
HOUR_S = 3600
ZONE = "Europe/Berlin"
CHANGES = [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)]
"""Its clocks go from 2 to 3 o'clock, and from 3 to 2."""
BEFORE_S = 5.0


@pytest.fixture(scope="module")
def server_clock(databases: Databases, template: str) -> Iterator[WallClock]:  # noqa: F811
    """The clock of the server, which is started anew with it, and at whose place the hours change."""
    need(databases, throw_away=True)
    server, folder = databases.server, make_folder()
    assert isinstance(server, Server)
    clock, zone = WallClock(folder), os.environ.get("TZ")
    if not clock.works:
        pytest.skip("there is no C compiler")
    server.stop()
    os.environ["TZ"] = ZONE
    try:
        start_server(server, clock)
    finally:
        os.environ.pop("TZ")
        os.environ.update({"TZ": zone} if zone is not None else {})
    yield clock
    server.stop()
    server.start()


@pytest.fixture(scope="module")
def nodes(
    server_clock: WallClock,
    template: str,  # noqa: F811
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Fleet]:
    """A fleet whose nodes have clocks of their own, too."""
    assert server_clock.works
    with django_db_blocker.unblock(), opened(template, databases, tmp_path_factory.mktemp("fleet")) as fleet:
        for node in fleet.nodes:
            node.set_up_clock()
        yield fleet


@pytest.fixture(autouse=True)
def _true_clocks(server_clock: WallClock, nodes: Fleet) -> Iterator[None]:
    yield
    server_clock.set_ahead(0)
    for node in nodes.nodes:
        node.clock.set_ahead(0)
        node.clock.set_boot_ahead(0)


def test_no_step_of_a_clock_moves_a_seat(fleet: Fleet, server_clock: WallClock) -> None:
    """Cases 13 and 14: the server's clock is set, and the other way the holder's; a third one's stays."""
    fleet.add("stepped")
    before = fleet.wait_running("stepped:0", 60)
    holder = fleet.node(before.node)
    for ahead in (HOUR_S, -HOUR_S):
        server_clock.set_ahead(ahead)
        holder.clock.set_ahead(-ahead)
        fleet.others(holder)[0].clock.set_ahead(ahead)
        assert abs(read_seconds(ALIAS) - time.time() - ahead) < 5, "the server has this clock"
        fleet.pass_until(boot_time() + F + R)

    assert {span.pid for span in fleet.witnesses.spans("stepped:0")} == {before.pid}
    holder.signal(signal.SIGUSR2)
    said = datetime.fromisoformat(holder.wait_event("child.stack", slot="stepped")["timestamp"])
    assert abs(time.time() + HOUR_S - said.timestamp()) < 60, "the daemon has this clock"


def test_seats_and_orders_outlive_a_change_of_the_hours(fleet: Fleet, server_clock: WallClock) -> None:
    """Case 15: local time leaves an hour out, then has one twice."""
    if fleet.databases.backend.vendor != "mysql":
        pytest.skip("PostgreSQL keeps no local time")
    fleet.add("hours")
    before = fleet.wait_running("hours:0", 60)
    for change in CHANGES:
        server_clock.set_ahead(int(change.timestamp() - BEFORE_S - time.time()))
        local = _local_offset(fleet)
        late = _order(fleet, expires_in_s=-30 * 60)
        fleet.pass_until(boot_time() + BEFORE_S + 1)
        assert _local_offset(fleet) != local, "the server's clock on the wall has changed"
        order = _order(fleet, expires_in_s=60)
        eventually(lambda order=order: _result(fleet, order), 20, "the result of the order")  # type: ignore[misc]
        fleet.pass_until(boot_time() + R)
        assert _result(fleet, late) == ""
    fleet.pass_until(boot_time() + F)

    assert {span.pid for span in fleet.witnesses.spans("hours:0")} == {before.pid}


def test_a_node_that_has_slept_gives_its_process_no_further_turn(fleet: Fleet) -> None:
    """Case 17: its boot-time clock has passed over 2 F in which nothing of it ran, and which no other clock shows."""
    fleet.add("asleep")
    before = fleet.wait_running("asleep:0", 60)
    node: FleetNode = fleet.node(before.node)
    node.freeze_all()
    node.clock.set_boot_ahead(2 * F)
    node.thaw()
    woken = boot_time()
    fleet.wait_running("asleep:0", F, since=woken)
    fleet.pass_until(boot_time() + R)

    lines = Path(fleet.witnesses.folder / f"asleep:0 {before.token} {before.node} {before.pid}").read_text().split()
    assert len([line for line in lines if float(line) > woken]) <= 1


def _local_offset(fleet: Fleet) -> int:
    [[hours]] = fleet.databases.execute("SELECT TIMESTAMPDIFF(HOUR, UTC_TIMESTAMP(), NOW())")
    return int(hours)


def _order(fleet: Fleet, expires_in_s: float) -> UUID:
    """Give an order that shows in its result alone."""
    now = read_now(ALIAS)
    expires = now + timedelta(seconds=expires_in_s)
    order = fleet.project.operations.create(verb="dump", job_name="hours", requested=now, expires=expires)
    return order.id


def _result(fleet: Fleet, order: UUID) -> str:
    return str(fleet.project.operations.get(pk=order).result)
