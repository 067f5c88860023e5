"""Two nodes on one database: orders that hold in the fleet, drains, moves, and who is said to have which seat."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Seat
from workerd.wire import exit_codes

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

WITHIN_S = 40.0
TAKEOVER_S = 10.0


class TwoNodes:
    """The daemons “a” and “b” of one project, each with a STATE_DIR of its own."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self._folder = folder
        self.daemons = {"a": Daemon(project), "b": Daemon(project)}

    def be(self, name: str) -> None:
        """Have the project's command, and what is started next, be those of this node."""
        self.project.name, self.project.state_dir = name, self._folder / name

    def start(self, name: str) -> None:
        self.be(name)
        self.daemons[name].start()

    def verb(self, name: str, *words: str) -> tuple[int, str]:
        """Run a verb on this node; return the exit code and what it printed."""
        self.be(name)
        done = self.project.manage("workerd", *words)
        return done.returncode, done.stdout + done.stderr

    def holders(self, job: str) -> list[str]:
        """Return which node has each seat, "" for one that is free."""
        seats = Seat.objects.using(ALIAS).filter(job__name=job).order_by("index").select_related("node")
        return [seat.node.name if seat.node is not None and seat.life is not None else "" for seat in seats]

    def wait_for(self, job: str, *holders: str) -> None:
        eventually(lambda: self.holders(job) == list(holders), WITHIN_S, f"the seats of {job} to be at {holders}")

    def running(self, name: str, slot: str) -> int | bool:
        """Return the pid of the slot's process on this node; False where none runs."""
        self.be(name)
        told = self.daemons[name].picture()["slots"]
        return next((known["pid"] for known in told if known["name"] == slot and known["pid"]), False)

    def count_seats(self, name: str) -> int:
        """Return how many seats the node says that it has."""
        self.be(name)
        return sum(slot["token"] is not None for slot in self.daemons[name].picture()["slots"])

    def fleet(self, name: str) -> Any:
        return json.loads(self.verb(name, "status", "--fleet", "--json")[1])

    def end(self) -> None:
        for name, daemon in self.daemons.items():
            self.be(name)
            daemon.clean_up()


@pytest.fixture
def nodes(project: Project, tmp_path: Path) -> Iterator[TwoNodes]:
    nodes = TwoNodes(project, tmp_path)
    yield nodes
    nodes.end()


def add_job(nodes: TwoNodes, **fields: Any) -> None:
    nodes.project.add_job("idle", scope="fleet", takeover_after=TAKEOVER_S, **fields)


def test_a_stop_on_any_node_holds_in_the_fleet_and_a_start_ends_it(nodes: TwoNodes) -> None:
    add_job(nodes)
    nodes.start("a")
    nodes.wait_for("idle", "a")
    nodes.start("b")

    code, printed = nodes.verb("b", "stop", "idle")
    assert (code, "stopped in the fleet by" in printed) == (exit_codes.DONE, True), printed
    nodes.wait_for("idle", "")
    eventually(lambda: not nodes.running("a", "idle"), WITHIN_S, "the process at its holder to end")
    nodes.be("a")
    nodes.daemons["a"].signal(signal.SIGTERM)
    assert nodes.daemons["a"].wait() == exit_codes.DONE
    nodes.start("a")
    [seat] = nodes.fleet("a")["seats"]
    assert (seat["held"], seat["wanted"], bool(seat["stopped_by"])) == (False, False, True), "it survives the daemon"

    assert nodes.verb("a", "start", "idle")[0] == exit_codes.DONE
    eventually(lambda: nodes.holders("idle") in (["a"], ["b"]), WITHIN_S, "a node to take it")


def test_a_restart_reaches_the_process_where_it_is(nodes: TwoNodes) -> None:
    add_job(nodes)
    nodes.start("a")
    nodes.wait_for("idle", "a")
    nodes.start("b")
    before = eventually(lambda: nodes.running("a", "idle"), WITHIN_S, "the process")
    eventually(lambda: "another node" in nodes.verb("b", "status")[1], WITHIN_S, "b to know who has it")

    code, printed = nodes.verb("b", "restart", "idle")

    assert (code, "passed on to a@" in printed) == (exit_codes.DONE, True), printed
    eventually(lambda: nodes.running("a", "idle") not in {before, False}, WITHIN_S, "another process")
    answered = nodes.project.operations.filter(verb="restart", node__name="a").exclude(result="")
    eventually(answered.exists, WITHIN_S, "the holder's result")


def test_a_drain_moves_the_seats_says_where_and_is_refused_by_the_last_node(nodes: TwoNodes) -> None:
    add_job(nodes, processes=2)
    nodes.start("a")
    nodes.wait_for("idle", "a", "a")
    assert nodes.verb("a", "drain")[0] == exit_codes.FAILED, "nobody else may run it"
    nodes.start("b")

    code, printed = nodes.verb("a", "drain")

    assert (code, printed.count("another node has it: b@")) == (exit_codes.DONE, 2), printed
    assert nodes.holders("idle") == ["b", "b"]

    def has_moved() -> None:
        assert {node["name"]: (node["draining"], node["seats"]) for node in nodes.fleet("b")["nodes"]} == {
            "a": (True, 0),
            "b": (False, 2),
        }
        assert {name: nodes.count_seats(name) for name in "ab"} == {"a": 0, "b": 2}, "as the nodes have it themselves"

    eventually(has_moved, WITHIN_S, "everybody to know of the move")
    told = nodes.fleet("b")
    assert [(seat["node"].partition("@")[0], seat["moves"]) for seat in told["seats"]] == [("b", 1), ("b", 1)]
    code, printed = nodes.verb("b", "drain")
    assert (code, "is the last node that may run idle:0, idle:1" in printed) == (exit_codes.FAILED, True), printed
    assert nodes.verb("a", "drain", "--undo")[0] == exit_codes.DONE
    eventually(lambda: not any(node["draining"] for node in nodes.fleet("a")["nodes"]), WITHIN_S, "the drain to end")
    code, printed = nodes.verb("a", "drain", "b")
    assert (code, nodes.holders("idle")) == (exit_codes.DONE, ["a", "a"]), printed


def test_a_drain_of_a_node_that_no_seat_is_for_says_that_there_is_nothing_to_give_away(nodes: TwoNodes) -> None:
    """Of this node, and of another one by a row; neither has a keeper that writes into its node's row."""
    nodes.project.add_job("local", "idle")
    for name in "ab":
        nodes.start(name)

    for words in (("drain",), ("drain", "b")):
        code, printed = nodes.verb("a", *words)
        assert (code, "there is nothing to give away" in printed) == (exit_codes.DONE, True), printed


def test_a_rebalance_moves_one_seat_of_a_movable_job(nodes: TwoNodes) -> None:
    add_job(nodes, processes=3, movable=True)
    nodes.start("a")
    nodes.wait_for("idle", "a", "a", "a")
    nodes.start("b")
    eventually(lambda: all(node["reports"] for node in nodes.fleet("b")["nodes"]), WITHIN_S, "both to report")

    code, printed = nodes.verb("b", "rebalance", "idle")

    assert (code, printed.count(" -> b@")) == (exit_codes.DONE, 1), printed
    assert sorted(nodes.holders("idle")) == ["a", "a", "b"]
    assert "nothing moves" in nodes.verb("a", "rebalance")[1]
