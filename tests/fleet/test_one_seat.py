"""One seat, three nodes: what becomes of it at each fault.

F is 10 s, so a seat is renewed each 1.67 s, and a process killed 8.3 s after the last renewal.
"""

import os
import signal

import pytest

from workerd.wire.lease import boot_time, hold_time

from .fleet import SLACK_S, F, Fleet, R

pytestmark = pytest.mark.slow


def test_three_nodes_start_one_process(fleet: Fleet) -> None:
    """Case 1."""
    fleet.add("single")
    span = fleet.wait_running("single:0", 60)

    assert {found.pid for found in fleet.witnesses.spans("single:0")} == {span.pid}
    assert fleet.seats.get(job__name="single").token == span.token


def test_a_killed_daemon_has_its_seat_back_at_once(fleet: Fleet) -> None:
    """Case 2."""
    fleet.add("killed", takeover_after=6 * F)  # the start of a daemon takes what this machine has time for
    before = fleet.wait_running("killed:0", 60)
    node = fleet.node(before.node)
    killed = boot_time()
    node.kill()
    late = fleet.overslept(killed, boot_time())
    node.start(ready=False)
    after = fleet.wait_running("killed:0", 4 * F, since=killed)

    assert (after.node, after.token > before.token) == (before.node, True)
    assert fleet.witnesses.spans("killed:0")[0].ended - killed < 0.2 + late


def test_another_node_takes_over_from_one_that_is_gone(fleet: Fleet) -> None:
    """Case 3."""
    fleet.add("gone")
    before = fleet.wait_running("gone:0", 60)
    fleet.node(before.node).kill()
    killed = boot_time()
    after = fleet.wait_running("gone:0", F + 2 * R + SLACK_S, since=killed)

    assert (after.node != before.node, after.token > before.token) == (True, True)
    assert after.began - killed > F - R - 0.5


def test_a_graceful_stop_hands_over_after_the_reaping(fleet: Fleet) -> None:
    """Case 4."""
    fleet.add("stopped")
    before = fleet.wait_running("stopped:0", 60)
    asked = boot_time()
    fleet.node(before.node).signal(signal.SIGTERM)
    after = fleet.wait_running("stopped:0", R + SLACK_S, since=asked)

    assert after.node != before.node
    assert fleet.node(before.node).wait(30) == 0


@pytest.mark.parametrize("target", ["witness", "deaf"])
def test_a_holder_that_is_cut_off_has_ended_before_another_takes_over(fleet: Fleet, target: str) -> None:
    """Cases 5 and 24: a process that ignores TERM is killed all the same, whatever its stop_timeout."""
    fleet.add("cut", target, stop_timeout=20)
    before = fleet.wait_running("cut:0", 60)
    fleet.node(before.node).cut()
    cut = boot_time()
    after = fleet.wait_running("cut:0", F + 2 * R + SLACK_S, since=cut)
    ended = next(span for span in reversed(fleet.witnesses.spans("cut:0")) if span.pid == before.pid).ended

    assert after.node != before.node
    deadline = cut + hold_time(F)
    assert ended < deadline + 0.5 + fleet.overslept(deadline, ended)
    assert after.began > ended


def test_a_short_cut_changes_nothing(fleet: Fleet) -> None:
    """Case 6; it is asked to stop at D - stop_timeout, 7.3 s after the last renewal."""
    fleet.add("short", stop_timeout=1)
    before = fleet.wait_running("short:0", 60)
    node = fleet.node(before.node)
    node.cut()
    fleet.pass_until(boot_time() + F / 4)
    node.mend()
    fleet.pass_until(boot_time() + F)

    assert {span.pid for span in fleet.witnesses.spans("short:0")} == {before.pid}


def test_all_nodes_cut_off_stop_and_the_same_holder_comes_back(fleet: Fleet) -> None:
    """Case 9."""
    fleet.add("alone")
    before = fleet.wait_running("alone:0", 60)
    for node in fleet.nodes:
        node.cut()
    cut = boot_time()
    fleet.wait_silent("alone:0", F + SLACK_S)
    fleet.pass_until(cut + F + R)
    assert fleet.running("alone:0") is None
    for node in fleet.nodes:
        node.mend()
    after = fleet.wait_running("alone:0", F, since=cut + F)

    assert after.node == before.node


def test_a_process_that_may_go_on_is_not_stopped_by_an_outage(fleet: Fleet) -> None:
    """Case 9, ``go_on``."""
    fleet.add("going", without_database="go_on")
    before = fleet.wait_running("going:0", 60)
    for node in fleet.nodes:
        node.cut()
    fleet.pass_until(boot_time() + F + R)
    for node in fleet.nodes:
        node.mend()
    fleet.pass_until(boot_time() + 2 * R)

    assert {span.pid for span in fleet.witnesses.spans("going:0")} == {before.pid}


def test_nobody_takes_over_while_the_server_restarts(fleet: Fleet) -> None:
    """Case 12."""
    fleet.add("restart")
    before = fleet.wait_running("restart:0", 60)
    server = fleet.databases.server
    assert server is not None
    if not server.throw_away:
        pytest.skip("the server is not ours")
    fleet.pass_until(boot_time() + 2 * R)  # a throw-away server may forget what it committed in the last second
    fleet.project.disconnect()
    server.kill()  # type: ignore[union-attr]
    server.start()  # type: ignore[union-attr]
    fleet.pass_until(boot_time() + F + R)

    assert {span.pid for span in fleet.witnesses.spans("restart:0")} == {before.pid}


@pytest.mark.parametrize("target", ["witness", "deaf"])
def test_the_warden_kills_for_a_daemon_that_is_stopped(fleet: Fleet, target: str) -> None:
    """Case 18."""
    fleet.add("warded", target)
    before = fleet.wait_running("warded:0", 60)
    node = fleet.node(before.node)
    node.freeze(node.pid)
    stopped = boot_time()
    after = fleet.wait_running("warded:0", F + 4 * R + SLACK_S, since=stopped + 1)

    assert after.node != before.node
    node.thaw()
    if target == "deaf":  # another one sees in its next turn that its seat is over
        node.wait_event("seat.ended_by_ledger", within=10, child_pid=before.pid)


def test_the_daemon_kills_when_its_ledger_is_stopped(fleet: Fleet) -> None:
    """Case 19."""
    fleet.add("ledgerless", "deaf")
    before = fleet.wait_running("ledgerless:0", 60)
    node = fleet.node(before.node)
    node.freeze(node.ledger_pid)
    stopped = boot_time()
    after = fleet.wait_running("ledgerless:0", F + 2 * R + SLACK_S, since=stopped + 1)

    assert after.node != before.node


def test_a_node_that_stood_still_gets_no_further_turn(fleet: Fleet) -> None:
    """Cases 20 and 21, with processes stopped one by one in place of a cgroup's freezer."""
    fleet.add("frozen")
    before = fleet.wait_running("frozen:0", 60)
    node = fleet.node(before.node)
    node.freeze_all()
    stopped = boot_time()
    after = fleet.wait_running("frozen:0", F + 2 * R + SLACK_S, since=stopped + 1)
    node.thaw()
    thawed = boot_time()
    fleet.pass_until(boot_time() + 2 * R)

    assert after.node != before.node
    late = [span for span in fleet.witnesses.spans("frozen:0") if span.pid == before.pid and span.began > thawed]
    assert sum(span.ended - span.began for span in late) < 0.05 + fleet.overslept(thawed - 0.5, thawed + 1)


def test_a_reborn_ledger_renews_what_its_life_holds(fleet: Fleet) -> None:
    """Case 22; 3 F, as the birth of a ledger takes what this machine has time for."""
    fleet.add("reborn", takeover_after=3 * F)
    before = fleet.wait_running("reborn:0", 60)
    node = fleet.node(before.node)
    killed = node.ledger_pid
    os.kill(killed, signal.SIGKILL)
    fleet.eventually(lambda: node.ledger_pid != killed, 2 * F, "another ledger")
    known = fleet.seats.get(job__name="reborn")
    fleet.eventually(lambda: fleet.seats.get(pk=known.pk).beat > known.beat + 1, 2 * F, "two renewals")
    after = fleet.seats.get(pk=known.pk)

    assert {span.pid for span in fleet.witnesses.spans("reborn:0")} == {before.pid}
    assert (after.life, after.token) == (known.life, before.token)
