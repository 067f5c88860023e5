"""Two nodes of different code, of different luck, and what an operator and the rows' readers make of them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import ALIAS
from tests.harness.waiting import eventually
from workerd.admin.order_nodes import nodes_for
from workerd.admin.snapshot import read_snapshot
from workerd.fleet.holders import count_held
from workerd.models.clock import read_now
from workerd.models.operation import LIFETIME
from workerd.wire import exit_codes
from workerd.wire.lease import renewal_interval
from workerd.wire.words import State

from .test_fleet_verbs import TAKEOVER_S, WITHIN_S, TwoNodes, nodes

__all__ = ["nodes"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

TARGET = "tests.process.fleet_targets.work"
R = renewal_interval(TAKEOVER_S)


def add(nodes: TwoNodes, name: str, bad_job: str = "", **fields: Any) -> None:
    nodes.project.add_job(name, bad_job, scope="fleet", takeover_after=TAKEOVER_S, **fields)


def state(nodes: TwoNodes, name: str, slot: str) -> str:
    """Return the state of a slot as a node has it itself."""
    nodes.be(name)
    return str(nodes.daemons[name].slot(slot).get("state"))


def stop(nodes: TwoNodes, name: str) -> None:
    """Stop a node in order; its processes' mark is also the other's."""
    nodes.daemons[name].signal(signal.SIGTERM)
    assert nodes.daemons[name].wait() == exit_codes.DONE


def watch(nodes: TwoNodes, job: str, seconds: float) -> set[str]:
    """Return every problem that the row has shown for so long."""
    seen, until = set[str](), time.monotonic() + seconds

    def is_over() -> bool:
        seen.add(nodes.project.jobs.get(name=job).problem)
        return time.monotonic() > until

    eventually(is_over, seconds + WITHIN_S, "the passing of time")
    return seen


def test_a_job_that_newer_code_alone_has_runs_there_and_its_problem_does_not_flap(nodes: TwoNodes) -> None:
    """Case 32: a rolling deployment, in which the first node has the old code yet."""
    nodes.start("a")
    nodes.project.settings["TARGETS"] = [TARGET]
    nodes.start("b")
    add(nodes, "new", target=TARGET)
    nodes.wait_for("new", "b")
    problem = eventually(lambda: nodes.project.jobs.get(name="new").problem, WITHIN_S, "what the old code says")
    seen = watch(nodes, "new", 3 * R)

    assert problem.startswith("on a@")
    assert seen == {problem}
    assert nodes.running("b", "new")
    stop(nodes, "a")
    nodes.start("a")
    eventually(lambda: not nodes.project.jobs.get(name="new").problem, WITHIN_S, "a node of the new code to be content")


def test_a_job_that_every_node_refuses_is_parked_once(nodes: TwoNodes) -> None:
    """Case 33."""
    for name in "ab":
        nodes.start(name)
    add(nodes, "refused", target=TARGET)
    for name in "ab":
        eventually(lambda name=name: state(nodes, name, "refused") == State.PARKED, WITHIN_S, "both to park it")  # type: ignore[misc]

    def problem() -> str | bool:
        said = str(nodes.project.jobs.get(name="refused").problem)
        return said if said and not said.startswith("on ") else False

    same = eventually(problem, WITHIN_S, "one problem that is the same on every node")
    assert watch(nodes, "refused", 3 * R) == {same}
    for daemon in nodes.daemons.values():
        assert len(daemon.events("job.refused", job="refused")) == 1
        assert not daemon.events("child.born", job="refused")


def test_a_crash_loop_on_one_node_moves_the_seat_and_on_all_it_parks(nodes: TwoNodes, tmp_path: Path) -> None:
    """Case 34."""
    there = tmp_path / "there"
    there.touch()
    nodes.project.settings["ENV"] = ["CASE_FILE"]
    limits = {"max_restarts": 1, "restart_window": 600.0, "backoff_initial": 0.05}
    add(nodes, "unlucky", "crash_without", kwargs={"path": {"$env": "CASE_FILE"}}, **limits)
    nodes.project.extra_env["CASE_FILE"] = str(tmp_path / "nowhere")
    nodes.start("a")
    nodes.daemons["a"].wait_event("child.parked", job="unlucky", within=WITHIN_S)
    nodes.project.extra_env["CASE_FILE"] = str(there)
    nodes.start("b")
    nodes.wait_for("unlucky", "b")
    pid = eventually(lambda: nodes.running("b", "unlucky"), WITHIN_S, "its process")
    eventually(lambda: state(nodes, "a", "unlucky") != State.PARKED, WITHIN_S, "the look at which “a” sees it run")
    there.unlink()
    os.kill(int(pid), signal.SIGKILL)
    nodes.wait_for("unlucky", "")

    for name in "ab":
        eventually(lambda name=name: state(nodes, name, "unlucky") == State.PARKED, WITHIN_S, "it to be parked")  # type: ignore[misc]
        assert len(nodes.daemons[name].events("child.parked", job="unlucky")) == 1
    code, printed = nodes.verb("a", "status", "--fleet")
    assert (code, "has refused the job" in printed) == (exit_codes.FAILED, True), printed


def test_a_drain_waits_for_the_task_in_hand(nodes: TwoNodes) -> None:
    """Case 35: the task takes longer than a third of takeover_after, which is what a lost seat would leave it."""
    takes = TAKEOVER_S / 3 + 2
    add(nodes, "task", "stop_slowly", kwargs={"takes": takes}, stop_timeout=30.0)
    nodes.start("a")
    nodes.wait_for("task", "a")
    nodes.daemons["a"].wait_event("child.ready", job="task", within=WITHIN_S)
    nodes.start("b")
    began = time.monotonic()
    code, printed = nodes.verb("a", "drain")
    took = time.monotonic() - began

    assert (code, "another node has it: b@" in printed) == (exit_codes.DONE, True), printed
    assert took >= takes
    exited = nodes.daemons["a"].wait_event("child.exited", job="task")
    taken = nodes.daemons["b"].wait_event("seat.taken", job="task")
    assert exited["outcome"] == "stopped"
    assert taken["timestamp"] > exited["timestamp"]


def test_a_router_and_a_replica_for_reads_are_none_of_the_ledgers(nodes: TwoNodes) -> None:
    """Case 45: the replica is a database that does not exist."""
    nodes.project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.replica_settings"
    add(nodes, "idle")
    nodes.start("a")
    nodes.wait_for("idle", "a")
    nodes.start("b")
    code, printed = nodes.verb("b", "stop", "idle")
    assert code == exit_codes.DONE, printed
    nodes.wait_for("idle", "")
    nodes.project.edit_job("idle", stop_timeout=5.0)
    assert nodes.verb("a", "start", "idle")[0] == exit_codes.DONE
    eventually(lambda: "" not in nodes.holders("idle"), WITHIN_S, "a node to take it")
    [holder] = nodes.holders("idle")
    eventually(lambda: nodes.running(holder, "idle"), WITHIN_S, "its process")
    assert nodes.verb(holder, "drain")[0] == exit_codes.DONE
    nodes.wait_for("idle", "b" if holder == "a" else "a")

    assert not [event for daemon in nodes.daemons.values() for event in daemon.events("ledger.lost")]


def test_the_admins_restart_of_a_job_of_each_node_reaches_every_node(nodes: TwoNodes) -> None:
    """Case 47."""
    nodes.project.add_job("idle")
    before = {}
    for name in "ab":
        nodes.start(name)
        before[name] = eventually(lambda name=name: nodes.running(name, "idle"), WITHIN_S, "its process")  # type: ignore[misc]
    eventually(lambda: nodes.project.slots.filter(state=State.RUNNING).count() == 2, WITHIN_S, "both slots' rows")
    give(nodes, "restart", "idle")

    for name in "ab":
        eventually(lambda name=name: nodes.running(name, "idle") not in {before[name], False}, WITHIN_S, name)  # type: ignore[misc]
    rows = nodes.project.operations.filter(verb="restart")
    eventually(lambda: rows.exclude(result="").count() == 2, WITHIN_S, "a result of each node")
    assert sorted(row.node.name for row in rows.select_related("node") if row.node) == ["a", "b"]


def test_the_admins_stop_of_a_singleton_outlives_the_node_that_had_it(nodes: TwoNodes) -> None:
    """Case 47: it is held in the fleet, and no node that comes later runs it."""
    add(nodes, "idle")
    nodes.start("a")
    nodes.wait_for("idle", "a")
    nodes.start("b")
    give(nodes, "stop", "idle")
    nodes.wait_for("idle", "")
    stop(nodes, "a")
    watch(nodes, "idle", TAKEOVER_S + 2 * R)

    assert nodes.holders("idle") == [""]
    assert not nodes.running("b", "idle")
    give(nodes, "start", "idle")
    nodes.wait_for("idle", "b")


def give(nodes: TwoNodes, verb: str, name: str) -> None:
    """Give an order to the nodes that the admin gives it to."""
    job, now = nodes.project.jobs.get(name=name), read_now(ALIAS)
    for node in nodes_for(verb, [job], ALIAS)[job.pk]:
        times = {"requested": now, "expires": now + LIFETIME}
        nodes.project.operations.create(verb=verb, job=job, job_name=name, node=node, requested_by="ann", **times)


def test_the_admin_the_fleets_status_and_the_nodes_come_to_agree(nodes: TwoNodes) -> None:
    """Case 48, while seats are taken, stopped and moved."""
    add(nodes, "idle", processes=4)
    nodes.start("a")
    nodes.wait_for("idle", "a", "a", "a", "a")
    agree(nodes, {"a": 4})
    nodes.start("b")
    assert nodes.verb("a", "stop", "idle:1")[0] == exit_codes.DONE
    agree(nodes, {"a": 3, "b": 0})
    assert nodes.verb("a", "drain")[0] == exit_codes.DONE
    agree(nodes, {"a": 0, "b": 3})


def agree(nodes: TwoNodes, wanted: dict[str, int]) -> None:
    """Wait until the nodes have these numbers of seats; some looks later everybody has to know it."""
    eventually(lambda: {name: nodes.count_seats(name) for name in wanted} == wanted, WITHIN_S, f"{wanted}")

    def all_agree() -> None:
        job = nodes.project.jobs.get(name="idle")
        shown = read_snapshot([job], ALIAS).of_job[job.pk]
        told = nodes.fleet("a")
        names = {node.pk: node.name for node in nodes.project.nodes.all()}
        counted = {names[pk]: held for pk, held in count_held(ALIAS).items()}
        assert {node["name"]: node["seats"] for node in told["nodes"]} == wanted
        assert {name: counted.get(name, 0) for name in wanted} == wanted
        assert shown.held == sum(wanted.values())
        assert sorted(place.holder.name for place in shown.places if place.holder) == sorted(
            name for name, count in wanted.items() for _ in range(count)
        )

    eventually(all_agree, WITHIN_S, "the admin and the fleet's status to agree with the nodes")
