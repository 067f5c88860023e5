"""Nodes, ledgers and processes that stand still, and what cannot be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import Process
from tests.harness.waiting import eventually
from workerd.daemon.node.ledger import LEDGER_SPEC
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.wire.lease import boot_time

from . import hanging_folder
from .fleet import SLACK_S, F, Fleet, R
from .freezer import Freezer, find_root
from .hanging_folder import HangingFolder
from .jobs import HANGING

pytestmark = pytest.mark.slow
TAKEOVER_S = F + 2 * R + SLACK_S
HANG_S = (LEDGER_SPEC.heartbeat_timeout or 0) + SLACK_S


@pytest.fixture(scope="module", autouse=True)
def _set_up(nodes: Fleet) -> None:
    for node in nodes.nodes:
        node.place.leave_tls()
        node.place.extra_env[HANGING] = str(_hanging(nodes))


@pytest.fixture
def freezer() -> Iterator[Freezer]:
    root = find_root()
    if root is None:
        pytest.skip("there is no cgroup with a freezer")
    freezer = Freezer(root)
    yield freezer
    freezer.close()


@pytest.fixture
def hanging(nodes: Fleet) -> Iterator[HangingFolder]:
    if lacks := hanging_folder.missing():
        pytest.skip(lacks)
    folder = HangingFolder(_hanging(nodes))
    yield folder
    folder.close()


def _hanging(fleet: Fleet) -> Path:
    return fleet.project.folder / "hanging"


def test_what_a_frozen_node_had_in_hand_is_rolled_back(fleet: Fleet, freezer: Freezer) -> None:
    """Cases 20 and 21: the node is frozen within a fenced transaction until another one has its seat."""
    fleet.add("fencer", "fencer")
    before = fleet.wait_running("fencer:0", 60)
    node = fleet.node(before.node)
    rows = fleet.project.marks.filter(job="fencer", pid=before.pid)
    eventually(rows.exists, 10, "a committed row")
    freezer.freeze([process.pid for process in node.tree.look(node.pid)])
    lines, committed = _lines(fleet, before.pid), rows.count()
    assert len(lines) > committed, "it is within a transaction"
    after = fleet.wait_running("fencer:0", TAKEOVER_S, since=boot_time())
    freezer.let_go(before.pid)  # before those that would kill it
    fleet.pass_until(boot_time() + R)
    freezer.thaw()
    fleet.pass_until(boot_time() + R)

    assert after.node != before.node
    assert (_lines(fleet, before.pid), rows.count()) == (lines, committed)


def test_renewals_go_on_while_the_ledger_waits_for_the_database(fleet: Fleet) -> None:
    """Case 23: the connection by which it writes records carries nothing any more."""
    fleet.add("renewed", "deaf", stop_timeout=1)
    before = fleet.wait_running("renewed:0", 60)
    node = fleet.node(before.node)
    ledger = node.ledger_pid
    wait = fleet.lose("record", node.number)
    noise = fleet.project.add_job("noise", "idle")
    _, lost = wait()
    beat = fleet.seats.get(job__name="renewed").beat
    fleet.pass_until(lost + F + 2 * R)

    rows = fleet.project.runs.filter(job_name=noise.name, node__host=node.host)
    assert not rows.exists(), "it still waits"
    assert node.ledger_pid == ledger
    assert fleet.seats.get(job__name="renewed").beat > beat + F / R - 2
    eventually(rows.exists, HANG_S, "the end of the wait, by the driver's time-out or by that of the heartbeat")
    assert {span.pid for span in fleet.witnesses.spans("renewed:0")} == {before.pid}


def test_the_seat_of_what_cannot_be_killed_is_kept_until_it_has_ended(fleet: Fleet, hanging: HangingFolder) -> None:
    """Case 25: the process waits for a file system that hangs, so that KILL leaves it in state D."""
    fleet.add("hanging", "hanging", stop_timeout=1)
    before = fleet.wait_running("hanging:0", 60)
    node = fleet.node(before.node)
    hanging.path.parent.joinpath("look").touch()
    fleet.wait_silent("hanging:0", 10)
    node.ask({"verb": "drain", "way": "", "wait": False})
    node.wait_event("child.unkillable", within=KILL_PATIENCE_S + SLACK_S, pid=before.pid)
    kept = node.wait_event("seat.kept")
    fleet.pass_until(boot_time() + F + R)

    seat = fleet.seats.get(job__name="hanging")
    assert (seat.node.host, seat.token) == (node.host, before.token)
    assert "hanging" in kept["reason"]
    assert _state(before.pid) == "D", "neither asleep nor a zombie"
    assert {span.pid for span in fleet.witnesses.spans("hanging:0")} == {before.pid}
    hanging.path.parent.joinpath("look").unlink()
    hanging.close()
    after = fleet.wait_running("hanging:0", SLACK_S + R, since=before.ended)
    assert after.node != node.host
    node.ask({"verb": "drain", "way": "undo", "wait": False})


def _state(pid: int) -> str:
    found = Process.look(pid)
    return found.state if found is not None else ""


def _lines(fleet: Fleet, pid: int) -> list[str]:
    return next(path.read_text().split() for path in fleet.witnesses.folder.glob(f"* {pid}"))
