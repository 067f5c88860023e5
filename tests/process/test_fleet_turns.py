"""Two nodes on one database: one at a time drains or reloads, and what goes wrong on one stops the other."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.modules import write_module
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from workerd.models import Seat
from workerd.wire import exit_codes
from workerd.wire.lease import longest_gap
from workerd.wire.rollout_seat import ROLLOUT_JOB, ROLLOUT_SPEC

from .test_fleet_verbs import WITHIN_S, TwoNodes, add_job
from .test_rollout import GOOD, RAISES

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

TAKEN_OVER_WITHIN_S = 2 * longest_gap(ROLLOUT_SPEC.takeover_after)
SLOW_TO_STOP = """
import pathlib, time
from workerd import job

@job
def work(context):
    context.ready()
    while not context.wait(0.2):
        pass
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.05)
"""
HANGS = """
import pathlib, time
pathlib.Path({begun!r}).touch()
while not pathlib.Path({go!r}).exists():
    time.sleep(0.05)
"""


@pytest.fixture
def nodes(project: Project, tmp_path: Path) -> Iterator[TwoNodes]:
    nodes = TwoNodes(project, tmp_path)
    project.settings["PRELOAD"] = ["released"]
    yield nodes
    nodes.end()


def start(nodes: TwoNodes, code: str = GOOD, **fields: Any) -> None:
    """Start both nodes with a job on each of them: neither has a seat of a job, nor a thread that renews one."""
    write_module(nodes.project, "released", code)
    nodes.project.add_job("feed", target="released.work", **fields)
    for name in ("a", "b"):
        nodes.start(name)
        eventually(lambda name=name: nodes.running(name, "feed"), WITHIN_S, "the job")  # type: ignore[misc]


def order(nodes: TwoNodes, name: str, *words: str) -> subprocess.Popen[str]:
    """Give an order on a node, whose result is to come."""
    nodes.be(name)
    project = nodes.project
    command = [*project.command, "workerd", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=project.env, cwd=project.folder, **pipes)  # type: ignore[call-overload,no-any-return]


def end(order: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = order.communicate(timeout=TAKEN_OVER_WITHIN_S)
    return order.returncode, out + err


def moments(nodes: TwoNodes, event: str) -> dict[str, str]:
    """Return by node when it logged the event last."""
    found = {name: [line["timestamp"] for line in daemon.events(event)] for name, daemon in nodes.daemons.items()}
    return {name: times[-1] for name, times in found.items() if times}


def generations(nodes: TwoNodes) -> dict[str, int]:
    """Return the generation that the job runs with on each node."""
    found = {}
    for name, daemon in nodes.daemons.items():
        nodes.be(name)
        if daemon.is_running:
            found[name] = daemon.slot("feed")["generation"]
    return found


def account(nodes: TwoNodes, name: str, what: str) -> str:
    nodes.be(name)
    return str(nodes.daemons[name].status()["daemon"][what])


def test_every_node_reloads_each_after_the_one_before(nodes: TwoNodes) -> None:
    start(nodes)

    code, printed = end(order(nodes, "a", "reload", "--fleet"))

    assert (code, printed.count("moved to the new code")) == (exit_codes.DONE, 2), printed
    assert generations(nodes) == {"a": 2, "b": 2}
    eventually(lambda: len(moments(nodes, "turn.released")) == 2, WITHIN_S, "both turns to end")
    taken, released, ended = (moments(nodes, f"{noun}") for noun in ("turn.taken", "turn.released", "rollout.ended"))
    first, second = sorted(taken, key=lambda name: taken[name])
    assert taken[first] < ended[first] < released[first] < taken[second] < ended[second]
    eventually(lambda: not Seat.objects.using(ALIAS).get(job_id=ROLLOUT_JOB).life, WITHIN_S, "the seat to be nobody's")


def test_a_release_that_halts_on_one_node_does_not_reach_the_other(nodes: TwoNodes) -> None:
    start(nodes)
    write_module(nodes.project, "released", RAISES)

    code, printed = end(order(nodes, "b", "reload", "--fleet"))

    assert (code, "the reload of the fleet has stopped, and this node keeps its code" in printed) == (1, True), printed
    both = ("rollout.halted", "rollout.stopped")
    eventually(lambda: all(moments(nodes, event) for event in both), WITHIN_S, "what each node says of it")
    [halted], [stopped] = (moments(nodes, event) for event in both)
    assert {halted, stopped} == {"a", "b"}
    assert "is halted: feed failed" in account(nodes, halted, "reload")
    assert f"{halted}@" in account(nodes, stopped, "reload")
    assert generations(nodes)[stopped] == 1

    write_module(nodes.project, "released", GOOD)
    code, printed = end(order(nodes, "a", "reload", "--fleet"))
    assert code == exit_codes.DONE, printed
    assert account(nodes, stopped, "reload") == ""


def test_a_node_that_is_killed_in_its_turn_is_taken_over_from_and_stops_the_others(
    nodes: TwoNodes, tmp_path: Path
) -> None:
    start(nodes)
    begun, go = tmp_path / "begun", tmp_path / "go"
    write_module(nodes.project, "released", HANGS.format(begun=str(begun), go=str(go)) + GOOD)
    waiting = order(nodes, "a", "reload", "--fleet")
    eventually(begun.exists, WITHIN_S, "a node to load the code")
    [holder] = eventually(lambda: moments(nodes, "turn.taken"), WITHIN_S, "the turn in the log")
    other = "b" if holder == "a" else "a"
    eventually(lambda: f"another node has it: {holder}@" in account(nodes, other, "reload"), WITHIN_S, "it to wait")

    nodes.be(holder)
    nodes.daemons[holder].signal(signal.SIGKILL)
    nodes.daemons[holder].wait()
    code, printed = end(waiting)

    go.touch()
    assert (code, "does not report any more" in printed) == (exit_codes.FAILED, True), printed
    assert f"{holder}@" in printed
    assert "has not brought its reload to an end" in printed
    taken = nodes.daemons[other].wait_event("turn.taken", within=WITHIN_S)
    assert taken["taken_from"].startswith(f"{holder}@")
    assert generations(nodes) == {other: 1}


def test_a_second_drain_waits_for_the_first_and_says_so(nodes: TwoNodes, tmp_path: Path) -> None:
    go = tmp_path / "go"
    write_module(nodes.project, "released", SLOW_TO_STOP.format(go=str(go)))
    add_job(nodes, target="released.work", processes=2, stop_timeout=60.0)
    nodes.start("a")
    nodes.wait_for("idle", "a", "a")
    nodes.start("b")
    eventually(lambda: all(node["reports"] for node in nodes.fleet("b")["nodes"]), WITHIN_S, "both to report")
    first = order(nodes, "a", "drain")
    nodes.daemons["a"].wait_event("node.draining", within=WITHIN_S)
    nodes.project.add_job("other", target="released.work", scope="fleet", takeover_after=10.0)
    nodes.wait_for("other", "b")

    second = order(nodes, "b", "drain")
    eventually(lambda: "another node has it: a@" in account(nodes, "b", "drain"), WITHIN_S, "it to wait")
    assert nodes.daemons["b"].events("node.draining") == []
    go.touch()

    code, printed = end(first)
    assert code == exit_codes.DONE, printed
    code, printed = end(second)
    assert (code, "is the last node that may run" in printed) == (exit_codes.FAILED, True), printed
    released = nodes.daemons["a"].wait_event("turn.released", within=WITHIN_S)
    assert released["timestamp"] < nodes.daemons["b"].wait_event("turn.taken", within=WITHIN_S)["timestamp"]


def test_a_drain_at_once_waits_for_nobody(nodes: TwoNodes, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    write_module(nodes.project, "released", GOOD)
    add_job(nodes, processes=1)
    nodes.start("a")
    nodes.wait_for("idle", "a")
    nodes.start("b")
    eventually(lambda: all(node["reports"] for node in nodes.fleet("b")["nodes"]), WITHIN_S, "both to report")
    write_module(nodes.project, "released", HANGS.format(begun=str(begun), go=str(go)) + GOOD)
    waiting = order(nodes, "b", "reload", "--fleet")
    eventually(begun.exists, WITHIN_S, "a node to load the code")

    code, printed = nodes.verb("a", "drain", "--now")

    assert (code, nodes.holders("idle")) == (exit_codes.DONE, ["b"]), printed
    go.touch()
    assert end(waiting)[0] == exit_codes.DONE
