"""Rows that change, tables that are emptied, and servers and processes that misbehave, under seats that are held."""

import os
import signal

import pytest

from tests.harness.processes import Process
from tests.harness.waiting import eventually
from workerd.wire.lease import boot_time
from workerd.wire.words import Scope

from .fleet import SLACK_S, F, Fleet, R

pytestmark = pytest.mark.slow
SOON_S = 2 * R + SLACK_S


def _running(fleet: Fleet, job: str) -> set[str]:
    return {seat for seat in fleet.witnesses.writing() if seat.startswith(f"{job}:")}


def _wait_running(fleet: Fleet, job: str, processes: int, within: float = 60) -> None:
    wanted = {f"{job}:{index}" for index in range(processes)}
    fleet.eventually(lambda: _running(fleet, job) == wanted, within, f"{processes} processes of {job}")


def test_a_server_that_does_not_answer_is_as_one_that_is_out(fleet: Fleet) -> None:
    """Case 11: the relay stands still, so no connection ends and nothing is answered."""
    fleet.add("silent", "deaf", stop_timeout=1)
    before = fleet.wait_running("silent:0", 60)
    os.kill(fleet.network.relay_pid, signal.SIGSTOP)
    stopped = boot_time()
    try:
        fleet.wait_silent("silent:0", F + SLACK_S)
        ended = fleet.witnesses.spans("silent:0")[-1].ended
        assert fleet.node(before.node).picture()["slots"]
    finally:
        os.kill(fleet.network.relay_pid, signal.SIGCONT)
    fleet.wait_running("silent:0", F + SOON_S, since=ended)

    assert ended - stopped < F


def test_the_seats_of_a_job_are_as_many_as_its_processes(fleet: Fleet) -> None:
    """Case 29: what is too much is stopped, and its row deleted by who held it."""
    fleet.add("resized", processes=3)
    _wait_running(fleet, "resized", 3)
    fleet.project.edit_job("resized", processes=5)
    _wait_running(fleet, "resized", 5)
    fleet.project.edit_job("resized", processes=2)
    _wait_running(fleet, "resized", 2)
    fleet.eventually(lambda: fleet.seats.filter(job__name="resized").count() == 2, SOON_S, "two seats")


def test_a_job_may_become_one_of_each_node_and_of_the_fleet_again(fleet: Fleet) -> None:
    """Case 30: of the fleet there is one process, of each node three; never two for one seat and one node."""
    fleet.add("scope", takeover_after=F)
    fleet.wait_running("scope:0", 60)
    fleet.project.edit_job("scope", scope=Scope.EACH_NODE)
    eventually(lambda: len(_hosts_now(fleet)) == 3, 60, "a process on each node")
    fleet.project.edit_job("scope", scope=Scope.FLEET)
    eventually(lambda: len(_hosts_now(fleet)) <= 1, 60, "one process at most")
    fleet.wait_running("scope:0", F + SOON_S)


def _hosts_now(fleet: Fleet) -> set[str]:
    return {node.host for node in fleet.nodes if fleet.witnesses.pids_writing(node.host)}


def test_a_disabled_job_runs_nowhere(fleet: Fleet) -> None:
    """Case 30."""
    fleet.add("disabled")
    fleet.wait_running("disabled:0", 60)
    fleet.project.edit_job("disabled", enabled=False)
    fleet.wait_silent("disabled:0", 30)
    fleet.pass_until(boot_time() + 2 * R)
    assert fleet.running("disabled:0") is None
    fleet.project.edit_job("disabled", enabled=True)
    fleet.wait_running("disabled:0", F + SOON_S)


def test_a_job_that_no_node_may_run_waits_and_says_so(fleet: Fleet) -> None:
    """Case 31."""
    fleet.add("nowhere", where="zone=nowhere")
    node = fleet.nodes[0]
    eventually(lambda: "label" in node.slot("nowhere").get("reason", ""), 60, "the reason")

    assert fleet.running("nowhere:0") is None


def test_emptied_tables_stop_the_holders_and_begin_claims_anew(fleet: Fleet) -> None:
    """Case 37."""
    fleet.add("emptied", processes=2)
    _wait_running(fleet, "emptied", 2)
    seats = ("emptied:0", "emptied:1")
    before = {seat: fleet.wait_running(seat) for seat in seats}
    fleet.seats.all().delete()
    for seat in seats:
        fleet.wait_running(seat, 2 * F + SOON_S, since=before[seat].ended + 0.5)
        fleet.tokens_rise(seat)


def test_a_longer_time_holds_until_the_shorter_one_is_confirmed(fleet: Fleet) -> None:
    """Case 28: nobody takes over by the new, shorter time while the holder counts by the old one."""
    fleet.add("edited", takeover_after=60.0)
    before = fleet.wait_running("edited:0", 60)
    fleet.node(before.node).cut()
    fleet.project.edit_job("edited", takeover_after=F)
    fleet.pass_until(boot_time() + 2 * F)
    spans = fleet.witnesses.spans("edited:0")
    assert {span.node for span in spans} == {before.node}
    fleet.node(before.node).mend()
    eventually(
        lambda: fleet.seats.get(job__name="edited").takeover_ms == F * 1000, 60, "the new time in the seat's row"
    )


def test_what_a_process_has_started_ends_at_the_deadline_too(fleet: Fleet) -> None:
    """Case 26: a grandchild in a session of its own carries the run's mark."""
    fleet.add("parent", "with_grandchild")
    before = fleet.wait_running("parent:0", 60)
    pid = eventually(lambda: _grandchild(fleet), 10, "the grandchild")
    node = fleet.node(before.node)
    node.freeze(node.pid)
    fleet.wait_running("parent:0", F + 4 * R + SLACK_S, since=boot_time())
    found = Process.look(pid)

    assert found is None or found.is_zombie


def _grandchild(fleet: Fleet) -> int:
    path = fleet.witnesses.folder.parent / "grandchild"
    return int(path.read_text() or 0) if path.exists() else 0
