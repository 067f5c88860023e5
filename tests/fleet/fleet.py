"""Three nodes on one database server, and what all of them show together."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.lateness import Lateness
from tests.harness.project import Project
from tests.harness.waiting import TooLateError, eventually
from workerd.models import Job, Seat
from workerd.wire.lease import boot_time, renewal_interval

from .network import Network, missing
from .node import FleetNode
from .witnesses import Span, Witnesses

F = 10.0
"""The shortest takeover_after that a row may have."""
R = renewal_interval(F)
SLACK_S = 5.0
"""What births, polls and a machine that has other work may take beside the lease's own times."""
READY_WITHIN_S = 90.0
LEAST_S = 0.2
Value = TypeVar("Value")
_numbers = itertools.count(1)


def need(databases: Databases, *, throw_away: bool = False) -> None:
    """Skip where there can be no fleet, or where its server is not one that a test may start anew."""
    if lacks := missing():
        pytest.skip(lacks)
    if databases.server is None:
        pytest.skip("SQLite has no server that several nodes reach")
    if throw_away and not databases.server.throw_away:
        pytest.skip("the server is not ours")


@contextlib.contextmanager
def opened(template: str, databases: Databases, folder: Path, nodes: int = 3) -> Iterator["Fleet"]:
    """Yield a fleet whose nodes do not run yet, on a database of its own."""
    name = f"{template}_fleet"
    databases.copy(template, name)
    project = Project(folder, databases, name)
    try:
        fleet = Fleet(project, databases, nodes)
        try:
            yield fleet
        finally:
            fleet.close()
    finally:
        project.close()


class Fleet:
    """The nodes; ``project`` has the rows, over a connection that no fault touches."""

    def __init__(self, project: Project, databases: Databases, nodes: int = 3) -> None:
        self.project = project
        self.databases = databases
        project.settings["POLL_SECONDS"] = 0.5
        folder = project.folder / "witnesses"
        folder.mkdir()
        self.witnesses = Witnesses(folder)
        self.lateness = Lateness()
        """What this machine's other work costs: every wait here may be longer by that."""
        self.make_durable()
        self.network = Network(nodes)
        try:
            assert databases.server is not None
            self.network.relay(databases.server.address)
            self.nodes = [FleetNode(project, self.network, number) for number in self.network.nodes]
        except BaseException:
            self.network.close()
            raise
        self.lateness.begin()

    def make_durable(self) -> None:
        """Have a throw-away server keep what it has committed when it is killed, as the lease asks of a database."""
        if self.databases.backend.vendor == "postgresql":
            self.databases.execute(f"ALTER DATABASE {self.project.database} SET synchronous_commit = on")
        else:
            self.databases.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")  # until it is started again

    # its life

    def start(self) -> None:
        """Heal every node, and start each that does not run."""
        for node in self.nodes:
            node.heal()
            if not node.is_running:
                node.start(ready=False)
        for node in self.nodes:
            node.wait_event("daemon.ready", within=READY_WITHIN_S)

    def close(self) -> None:
        """End the nodes, and take the network away."""
        try:
            for node in self.nodes:
                with contextlib.suppress(Exception):
                    node.end()
                node.clean_up()
        finally:
            self.lateness.end()
            self.network.close()

    def report(self) -> str:
        return "\n".join(f"===== {node.host}\n{node.report()[-20000:]}" for node in self.nodes)

    # its jobs

    def add(self, name: str, target: str = "witness", **fields: Any) -> Job:
        """Add a job of the fleet whose processes are witnesses."""
        fields = {"processes": 1, "takeover_after": F, "backoff_initial": 0.1, **fields}
        return self.project.add_job(name, scope="fleet", target=f"tests.fleet.jobs.{target}", **fields)

    def remove_all(self) -> None:
        """Delete every job, and wait until nothing of them runs."""
        seats = {f"{seat.job.name}:{seat.index}" for seat in self.seats.select_related("job")}
        self.project.jobs.all().delete()
        for seat in seats:
            self.wait_silent(seat, 60)

    @property
    def seats(self) -> Any:
        return Seat.objects.using("project")

    # what it shows

    def node(self, host: str) -> FleetNode:
        return next(node for node in self.nodes if node.host == host)

    def others(self, node: FleetNode) -> list[FleetNode]:
        return [other for other in self.nodes if other is not node]

    def eventually(self, condition: Callable[[], Value | Literal[False]], within: float, what: str) -> Value:
        """As ``eventually`` of the harness, and for as much longer as the machine oversleeps meanwhile."""
        left = within
        while True:
            began = time.monotonic()
            try:
                return eventually(condition, left, what)
            except TooLateError:
                if (left := self.lateness.since(began)) < LEAST_S:
                    raise

    def overslept(self, since: float, until: float) -> float:
        """Return how much the machine has overslept between two boot times: so much later anything may be done."""
        monotonic = time.monotonic() - boot_time()
        return self.lateness.since(since + monotonic, until + monotonic)

    def running(self, seat: str) -> Span | None:
        return self.witnesses.running(seat, boot_time())

    def wait_running(self, seat: str, within: float = F + R + SLACK_S, *, since: float = 0.0) -> Span:
        """Return the span of a process of the seat that runs, and whose first line is later than ``since``."""

        def runs() -> Span | bool:
            span = self.running(seat)
            return span if span is not None and self.witnesses.first(span).began > since else False

        found = self.eventually(runs, within, f"a process of {seat}")
        assert isinstance(found, Span)
        return found

    def wait_writing(self, seats: set[str], within: float) -> None:
        """Return when a process of each of these seats writes."""
        self.eventually(lambda: seats <= self.witnesses.writing(), within, f"processes of {sorted(seats)}")

    def wait_silent(self, seat: str, within: float) -> None:
        """Return when no process of the seat writes."""
        self.eventually(lambda: self.running(seat) is None, within, f"no process of {seat}")

    def wait_silent_on(self, host: str, within: float) -> None:
        """Return when no process of this node writes."""
        self.eventually(lambda: not self.witnesses.pids_writing(host), within, f"no process on {host}")

    def pass_until(self, moment: float) -> None:
        """Return when the machine's clock shows this moment: what must not happen has had its time."""
        eventually(lambda: boot_time() >= moment, moment - boot_time() + 60, "the passing of time")

    def lose(self, kind: str, number: int | None = None) -> Callable[[], tuple[str, float]]:
        """Have one answer of a node, or of any, be lost; return what waits for that, and says whose it was and when."""
        told = self.project.folder / f"lost-{next(_numbers)}"
        self.network.lose(kind, number, told)

        def wait() -> tuple[str, float]:
            line = eventually(lambda: told.exists() and told.read_text().strip(), 60, f"the loss of a {kind}")
            address, moment = line.split()
            return f"node{address.split('.')[2]}", float(moment)

        return wait

    def holder(self, seat: str) -> FleetNode:
        """Return the node that runs the seat now, waiting for one."""
        return self.node(self.wait_running(seat).node)

    def no_overlap(self) -> None:
        assert self.witnesses.overlaps() == []

    def tokens_rise(self, seat: str) -> None:
        """Assert that each holding has a larger token than the one before it."""
        tokens = [span.token for span in self.witnesses.spans(seat)]
        assert tokens == sorted(tokens)
