"""No state without a reason: what a slot waits for, and who or what has stopped it, in ``status`` and in the log."""

import ctypes
import os
import subprocess
from typing import Any

import pytest

from tests.harness.node import Node, orders_of
from workerd.daemon.node.orders import Orders
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.processes import hold
from workerd.daemon.processes.hold import describe_hold
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.waiting import explain
from workerd.wire.messages import Loaded
from workerd.wire.reasons import public_part
from workerd.wire.words import State


@pytest.fixture(autouse=True)
def started(node: Node) -> None:
    node.start()


@pytest.fixture
def orders(node: Node) -> Orders:
    parts = node.parts
    return orders_of(parts)


def running(node: Node, name: str = "feed", **fields: Any) -> LiveSlot:
    slot = node.add_job(name, **fields)
    node.settle()
    assert slot.state is State.RUNNING
    return slot


def stopping_reason(node: Node) -> str:
    return str(node.lines.of("child.stopping")[-1]["reason"])


def test_each_step_of_a_start_says_what_it_waits_for(node: Node) -> None:
    slot = node.add_job(start_grace=2.0, start_timeout=30.0)
    before_birth = slot.state, explain(slot)
    [child] = [child for child in node.bear() if slot.child is not None and child.pid == slot.child.pid]
    loading = explain(slot)
    child.say(Loaded())
    node.turn()
    loaded = explain(slot)
    node.pass_time(2.0)

    assert before_birth == (State.STARTING, "waiting for a process, which is being started")
    assert loading == "loading its code, for 30 s at most"
    assert loaded == "counts as running once it has lived for 2 s"
    assert (slot.state, explain(slot)) == (State.RUNNING, "")


def test_a_job_that_says_itself_when_it_is_ready_is_waited_for(node: Node) -> None:
    slot = node.add_job(signals_ready=True, start_timeout=60.0)
    node.bear()
    assert slot.child is not None
    node.child_in(slot).say(Loaded())
    node.turn()

    assert explain(slot) == "waiting for context.ready(), for 1 min at most"


def test_one_that_stands_in_line_says_so(node: Node) -> None:
    slots = [node.add_job(f"job-{number}") for number in range((os.cpu_count() or 1) + 1)]
    waiting = [slot for slot in slots if slot.state is State.WAITING]

    assert waiting
    assert {explain(slot) for slot in waiting} == {"waiting for its turn to start: others are loading"}


def order_stop(node: Node, orders: Orders) -> None:
    orders.carry_out("stop", ["feed"], lambda _: None, by="root")


def order_restart(node: Node, orders: Orders) -> None:
    orders.carry_out("restart", ["feed"], lambda _: None, by="ada")


def edit(node: Node, _: Orders) -> None:
    node.add_job("feed", stop_timeout=4.0, kwargs={"depth": 3})


def disable(node: Node, _: Orders) -> None:
    node.add_job("feed", stop_timeout=4.0, enabled=False)


def delete(node: Node, _: Orders) -> None:
    node.parts.slot_set.apply("feed", None)


def shut_down(node: Node, _: Orders) -> None:
    Shutdown(node.parts).begin("SIGTERM")


CAUSES = [
    (order_stop, "stopped by root", "stopped by root, until “start”"),
    (order_restart, "restarted by ada", None),
    (edit, "its row was edited", None),
    (disable, "its row was disabled", "disabled in its row"),
    (delete, "its row was deleted", "its row was deleted"),
    (shut_down, "the daemon is shutting down: SIGTERM", "the daemon is shutting down: SIGTERM"),
]


@pytest.mark.parametrize(("stop", "why", "at_rest"), CAUSES, ids=[cause[0].__name__ for cause in CAUSES])
def test_who_or_what_stops_a_process_is_named(
    node: Node, orders: Orders, stop: Any, why: str, at_rest: str | None
) -> None:
    slot = running(node, stop_timeout=4.0)
    stop(node, orders)
    said, shown = stopping_reason(node), explain(slot)
    node.end_child(slot, signal=15)

    assert said == why
    assert shown == f"{why}; killed unless it ends within 4 s"
    if at_rest is not None:
        assert (slot.state, explain(slot)) == (State.STOPPED, at_rest)


def test_a_smaller_number_of_processes_is_a_cause(node: Node) -> None:
    running(node, processes=2)
    node.add_job("feed", processes=1)

    assert stopping_reason(node) == "its row wants fewer processes"


def test_a_row_that_was_never_enabled_says_so(node: Node) -> None:
    slot = node.add_job(enabled=False)

    assert (slot.state, explain(slot)) == (State.STOPPED, "disabled in its row")


def test_what_is_added_to_a_job_that_is_stopped_says_by_whom(node: Node, orders: Orders) -> None:
    running(node)
    order_stop(node, orders)
    node.end_child(node.slot("feed"), signal=15)
    node.add_job("feed", processes=2)

    assert explain(node.slot("feed", 1)) == "stopped by root, until “start”"


def test_a_job_that_is_added_while_the_daemon_ends_says_so(node: Node) -> None:
    Shutdown(node.parts).begin("SIGTERM")
    slot = node.add_job("late")

    assert (slot.state, explain(slot)) == (State.STOPPED, "the daemon is shutting down: SIGTERM")


def test_an_edit_resumes_in_its_own_name_whoever_has_ordered_something_before(node: Node, orders: Orders) -> None:
    slot = running(node, max_restarts=0)
    order_restart(node, orders)
    node.end_child(slot, signal=15)
    node.settle()
    node.end_child(slot, code=3)
    parked = slot.state
    node.add_job("feed", max_restarts=5)

    assert parked is State.PARKED
    assert [event["reason"] for event in node.lines.of("child.resumed")] == ["its row was edited"]


def test_a_row_that_new_code_can_run_again_says_so(node: Node) -> None:
    node.add_job("feed", problem="there is no such target")
    node.add_job("feed")

    assert [event["reason"] for event in node.lines.of("child.resumed")] == ["its row can run now"]


def test_our_own_words_are_for_every_reader(node: Node, orders: Orders) -> None:
    """Only a job's words are kept from those who may not read its output."""
    slot = running(node)
    order_stop(node, orders)

    assert public_part(explain(slot)) == explain(slot)


def test_a_process_that_survives_sigkill_says_what_holds_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ["in state D"]
    monkeypatch.setattr("workerd.daemon.slots.effects.describe_hold", lambda _: held[0])
    slot = running(node, stop_timeout=2.0)
    node.parts.lifecycle.want(slot, False)
    node.pass_time(2.0)
    killed = explain(slot)
    node.pass_time(5.0 + KILL_PATIENCE_S)
    first = explain(slot)
    held[0] = "held by a debugger (pid 7)"
    node.pass_time(KILL_PATIENCE_S)
    [event] = node.lines.of("child.unkillable")

    assert "stack" in killed or "SIGKILL" in killed
    assert first == "still there 5 s after SIGKILL: in state D"
    assert explain(slot) == "still there 5 s after SIGKILL: held by a debugger (pid 7)"
    assert event["reason"] == "in state D"


PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def test_a_debugger_is_named_by_its_pid() -> None:
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    child = subprocess.Popen(["sleep", "60"])
    try:
        if ptrace(PTRACE_ATTACH, child.pid, None, None) != 0:
            pytest.skip(f"ptrace is not allowed here: {os.strerror(ctypes.get_errno())}")
        os.waitpid(child.pid, 0)
        why = describe_hold(child.pid)
        ptrace(PTRACE_DETACH, child.pid, None, None)
    finally:
        child.kill()
        child.wait()

    assert why == f"held by a debugger (pid {os.getpid()})"


@pytest.mark.parametrize(
    ("status", "wchan", "why"),
    [
        ("State:\tD (disk sleep)\nTracerPid:\t0\n", "rpc_wait_bit_killable", "in state D: it waits in the kernel"),
        ("State:\tD (disk sleep)\nTracerPid:\t0\n", "__refrigerator", "frozen by its cgroup"),
        ("State:\tR (running)\n", "0", "in state R"),
        ("State:\tZ (zombie)\nTracerPid:\t12\n", "0", "held by a debugger (pid 12)"),
    ],
)
def test_what_the_kernel_shows_is_told(monkeypatch: pytest.MonkeyPatch, status: str, wchan: str, why: str) -> None:
    texts = {"/proc/7/status": status, "/proc/7/wchan": wchan}
    monkeypatch.setattr(hold, "read_text", texts.__getitem__)

    assert describe_hold(7).startswith(why)
