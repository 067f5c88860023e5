"""What was sent and what was answered: the net loses one answer, or all of two nodes but not of the third.

The relay reads the statements, so the nodes of this file talk without TLS.
"""

import errno
import subprocess
import sys

import pytest

from workerd.wire.lease import boot_time, hold_time

from .fleet import SLACK_S, F, Fleet, R
from .node import ENTER

pytestmark = pytest.mark.slow
TAKEOVER_S = F + 2 * R + SLACK_S
EARLIEST_RENEWAL_S = 0.8 * R


@pytest.fixture(scope="module", autouse=True)
def _no_tls(nodes: Fleet) -> None:
    for node in nodes.nodes:
        node.place.leave_tls()


def test_a_renewal_without_an_answer_does_not_count(fleet: Fleet) -> None:
    """Case 7: the first such renewal is followed by one that counts, the second by nothing."""
    fleet.add("unanswered", "deaf", stop_timeout=F / 3)
    before = fleet.wait_running("unanswered:0", 60)
    node = fleet.node(before.node)
    _, lost = fleet.lose("renewal", node.number)()
    fleet.pass_until(lost + F)
    assert {span.pid for span in fleet.witnesses.spans("unanswered:0")} == {before.pid}
    assert node.events("child.stopping", slot="unanswered") == []

    beat = fleet.seats.get(job__name="unanswered").beat
    _, lost = fleet.lose("renewal", node.number)()
    node.cut()
    after = fleet.wait_running("unanswered:0", TAKEOVER_S, since=lost)
    ended = max(span.ended for span in fleet.witnesses.spans("unanswered:0") if span.pid == before.pid)

    assert fleet.seats.get(job__name="unanswered").beat > beat, "the database has it"
    assert after.node != before.node
    assert ended < lost - EARLIEST_RENEWAL_S + hold_time(F) + 0.4, "what counts is the renewal before it"


def test_a_claim_without_an_answer_is_found_by_the_next_renewal(fleet: Fleet) -> None:
    """Case 8."""
    wait = fleet.lose("claim")
    fleet.add("claimed", "deaf", stop_timeout=1)
    host, lost = wait()
    claimed = fleet.seats.get(job__name="claimed").token
    span = fleet.wait_running("claimed:0", F, since=lost)
    fleet.pass_until(lost + F)

    assert (span.node, span.token) == (host, claimed)
    assert {found.pid for found in fleet.witnesses.spans("claimed:0")} == {span.pid}


def test_a_claim_of_a_node_that_is_cut_off_then_is_taken_over(fleet: Fleet) -> None:
    """Case 8: who never learns that it has the seat runs nothing."""
    wait = fleet.lose("claim")
    fleet.add("unheard", "deaf", stop_timeout=1)
    host, lost = wait()
    node = fleet.node(host)
    node.cut()
    claimed = fleet.seats.get(job__name="unheard").token
    span = fleet.wait_running("unheard:0", TAKEOVER_S, since=lost)
    node.mend()
    fleet.pass_until(boot_time() + 2 * R)

    assert (span.node != host, span.token > claimed) == (True, True)
    assert {found.pid for found in fleet.witnesses.spans("unheard:0")} == {span.pid}


def test_two_nodes_that_reach_each_other_alone_lose_their_seats(fleet: Fleet) -> None:
    """Cases 10 and 27: what they say to each other is nothing; the workers that a process has forked end with it."""
    fleet.add("one", "pool", stop_timeout=2)
    fleet.add("other")
    before = [fleet.wait_running("one:0", 60), fleet.wait_running("other:0", 60)]
    holders = {fleet.node(span.node).number for span in before}
    lost = sorted((*holders, *({1, 2, 3} - holders)), key=lambda number: number not in holders)[:2]
    [third] = {1, 2, 3} - {*lost}
    address = fleet.network.join_pair(*lost)
    for number in lost:
        fleet.nodes[number - 1].cut()
    cut = boot_time()
    assert _answers(fleet, lost[0], address)
    after = [fleet.wait_running(seat, TAKEOVER_S, since=cut + 1) for seat in ("one:0", "other:0")]

    assert {span.node for span in after} == {f"node{third}"}
    for span in fleet.witnesses.spans():
        assert span.node == f"node{third}" or span.ended - cut < hold_time(F) + 0.5


def _answers(fleet: Fleet, number: int, address: str) -> bool:
    """Return whether a node reaches another one: that refuses a connection, as nobody listens."""
    words = [sys.executable, "-S", "-E", str(ENTER), fleet.network.namespace(number), "probe"]
    code = f"import socket; print(socket.socket().connect_ex(({address!r}, 9)))"
    done = subprocess.run([*words, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return bool(done.stdout == f"{errno.ECONNREFUSED}\n")
