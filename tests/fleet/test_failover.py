"""The database forgets: a replica takes over that has not heard of the last claim, and the old primary comes back.

Whoever had a seat by the rows of the new server may not have it by those of the old one, and be alive.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Backend, Databases
from tests.harness.project import ALIAS, Project
from tests.harness.replica import Primary, Replica
from tests.harness.waiting import eventually
from workerd.wire.lease import boot_time

from .fleet import SLACK_S, F, Fleet, R
from .network import missing
from .witnesses import Span

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2")]
BACK_S = 2 * F + 2 * R + SLACK_S
"""What a node finds as its own at the new server it leaves alone for F; another one sees it unchanged for F."""


class Pair:
    """A fleet of two nodes, and the two servers that one after the other are its database."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self.primary = Primary()
        self.replica = Replica(self.primary)
        self.databases = Databases(backend, folder)
        self.databases.server = self.primary

    def begin(self, folder: Path) -> None:
        self.primary.start()
        self.databases.create("fleet")
        self.project = Project(folder, self.databases, "fleet")
        done = self.project.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        self.replica.start()
        self.fleet = Fleet(self.project, self.databases, nodes=2)

    def fail_over(self) -> None:
        """Kill the primary, and have the replica be it."""
        self.fleet.network.end_relay()
        self.primary.kill()
        self.replica.promote()
        self.lead_to(self.replica)

    def lead_to(self, server: Primary) -> None:
        """Have the nodes, and this process, reach another server."""
        connections[ALIAS].close()
        connections[ALIAS].settings_dict["PORT"] = server.address.port
        self.fleet.network.relay(server.address)

    def close(self) -> None:
        try:
            if hasattr(self, "fleet"):
                self.fleet.close()
            if hasattr(self, "project"):
                self.project.disconnect()
                del connections[ALIAS]
                del connections.settings[ALIAS]
        finally:
            self.replica.close()
            self.primary.close()


@pytest.fixture
def pair(backend: Backend, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Pair]:
    if lacks := missing():
        pytest.skip(lacks)
    pair = Pair(backend, tmp_path)
    with django_db_blocker.unblock():
        try:
            pair.begin(tmp_path)
            yield pair
        finally:
            pair.close()


@pytest.fixture(autouse=True)
def nodes(pair: Pair) -> Fleet:
    """Has a failed test show what the daemons said."""
    return pair.fleet


def _cut_off(pair: Pair, holder: Span) -> Span:
    """Have the other node take over from a holder that is cut off, and alive."""
    node = pair.fleet.node(holder.node)
    node.cut()
    taken = pair.fleet.wait_running("seat:0", F + 2 * R + SLACK_S, since=holder.ended)
    assert taken.node != holder.node
    return taken


def _drained(pair: Pair, holder: Span) -> Span:
    """Have the holder give its seat to the other node, and be ready to take it back."""
    node = pair.fleet.node(holder.node)
    assert node.ask({"verb": "drain", "wait": False})["ok"]
    taken = _other_than(pair, holder)
    assert node.ask({"verb": "drain", "way": "undo"})["ok"]
    return taken


def _restarted(pair: Pair, holder: Span) -> Span:
    """Have the other node take over from a killed daemon, which is started again afterwards."""
    node = pair.fleet.node(holder.node)
    node.kill()
    taken = _other_than(pair, holder)
    node.start(ready=False)
    node.wait_event("daemon.ready", within=60)
    return taken


def _other_than(pair: Pair, holder: Span) -> Span:
    def runs_elsewhere() -> Span | bool:
        span = pair.fleet.running("seat:0")
        return span if span is not None and span.node != holder.node else False

    found = eventually(runs_elsewhere, 2 * F + SLACK_S, "a process on the other node")
    assert isinstance(found, Span)
    return found


@pytest.mark.parametrize("change", [_cut_off, _drained, _restarted])
def test_a_replica_that_lacks_the_last_claim_gives_nobody_a_seat_that_another_has(
    pair: Pair, change: Callable[[Pair, Span], Span]
) -> None:
    """Cases 41 and 42: the holder before is alive, and finds itself in the row; then the old primary comes back."""
    fleet = pair.fleet
    fleet.start()
    fleet.add("seat", "deaf", stop_timeout=5)
    first = fleet.wait_running("seat:0", 60)
    fleet.pass_until(boot_time() + 2 * R)
    pair.replica.catch_up()
    pair.replica.fall_behind()
    second = change(pair, first)
    pair.fail_over()
    failed = boot_time()
    fleet.node(first.node).mend()
    third = fleet.wait_running("seat:0", BACK_S, since=failed)
    fleet.no_overlap()
    assert third.token > second.token > first.token

    fleet.network.end_relay()
    pair.primary.start()
    pair.lead_to(pair.primary)
    back = boot_time()
    fourth = fleet.wait_running("seat:0", BACK_S, since=back)
    fleet.no_overlap()
    assert fourth.token > third.token
    fleet.tokens_rise("seat:0")


def test_a_replica_that_has_everything_takes_over_without_a_word_to_the_process(pair: Pair) -> None:
    """Case 41 without a loss."""
    fleet = pair.fleet
    fleet.start()
    fleet.add("seat")
    before = fleet.wait_running("seat:0", 60)
    pair.replica.catch_up()
    pair.fail_over()
    fleet.pass_until(boot_time() + F + R)

    assert {span.pid for span in fleet.witnesses.spans("seat:0")} == {before.pid}


def test_at_a_server_that_takes_no_writes_no_seat_is_renewed(pair: Pair) -> None:
    """Case 42, read-only: the node says so, ends the process in time, and goes on when the server takes writes."""
    fleet = pair.fleet
    fleet.start()
    fleet.add("seat")
    before = fleet.wait_running("seat:0", 60)
    pair.replica.catch_up()
    pair.fleet.network.end_relay()
    pair.lead_to(pair.replica)
    fleet.wait_silent("seat:0", F + SLACK_S)
    said = fleet.node(before.node).wait_event("seats.unconfirmed", within=10)
    stopped = boot_time()
    os.kill(pair.primary.pid or 0, signal.SIGQUIT)
    pair.replica.promote()
    fleet.wait_running("seat:0", BACK_S, since=stopped)

    assert "read-only" in said["reason"]
    fleet.no_overlap()
    fleet.tokens_rise("seat:0")
