"""One child's trouble is its own: whatever the kernel answers about it, its neighbours live as if it were not there."""

import errno
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.node import Node
from tests.harness.properties import examples
from workerd.daemon.io import child_stream
from workerd.daemon.io.files import read_text
from workerd.daemon.io.log import EventLog
from workerd.daemon.processes import memory, stack_dump
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import RecycleAsked
from workerd.wire.page import HeartbeatPage
from workerd.wire.words import State

ERRORS = [errno.EPERM, errno.EACCES, errno.ESRCH, errno.EINVAL, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.EBADF]
CALLS = ["signal", "read", "proc", "fork request", "log"]
DEEDS = ["crash", "end", "hang", "grow old", "go", "print", "print without end", "nonsense", "recycle"]
STOP_S = 2.0
TROUBLED = "troubled"
NEIGHBOURS = ("one", "two")
FIELDS: dict[str, Any] = {"backoff_initial": 0, "stop_timeout": STOP_S, "start_grace": 0.01, "max_memory": 100.0}


@contextmanager
def failing(node: Node, faults: dict[str, int]) -> Iterator[None]:
    """Have calls fail that are about the troubled job's child; those about others do what they do."""
    slot = node.slot(TROUBLED)
    child = slot.child
    assert child is not None
    assert child.pid is not None
    pipes = (child.output.stdout.descriptor, child.output.stderr.descriptor)

    def wrap(call: str, original: Callable[..., Any], concerned: Callable[..., bool]) -> Callable[..., Any]:
        def wrapped(*args: Any, **fields: Any) -> Any:
            if call in faults and concerned(*args, **fields):
                raise OSError(faults[call], os.strerror(faults[call]))
            return original(*args, **fields)

        return wrapped

    def is_its(*_: Any, **fields: Any) -> bool:
        return fields.get("job") == TROUBLED

    def for_itself() -> bool:
        return slot.child is None and all(node.slot(name).child is not None for name in NEIGHBOURS)

    def in_proc(path: str) -> bool:
        return path == f"/proc/{child.pid}/status"

    reading = SimpleNamespace(**{name: getattr(os, name) for name in ("close", "set_blocking")})
    reading.read = wrap("read", os.read, lambda descriptor, _: descriptor in pipes)
    if "signal" in faults:
        node.kernel.refusals[child.pid] = OSError(faults["signal"], os.strerror(faults["signal"]))
    with ExitStack() as undo:
        for target, name, value in (
            (child_stream, "os", reading),
            (memory, "read_text", wrap("proc", read_text, in_proc)),
            (stack_dump, "read_text", wrap("proc", read_text, in_proc)),
            (HeartbeatPage, "create", wrap("fork request", HeartbeatPage.create, for_itself)),
            (EventLog, "emit", wrap("log", EventLog.emit, is_its)),
        ):
            undo.enter_context(patch.object(target, name, value))
        yield
    node.kernel.refusals.clear()


def do(deed: str, node: Node, slot: LiveSlot) -> None:
    """Have the troubled child do something, or something be done to it."""
    if slot.child is None or slot.child.ended:
        return
    process, lifecycle = node.child_in(slot), node.parts.lifecycle
    match deed:
        case "crash" | "end":
            node.end_child(slot, signal=signal.SIGSEGV if deed == "crash" else None, code=0 if deed == "end" else None)
        case "hang" | "grow old":
            lifecycle.apply(slot, Fact.DEADLINE_PASSED, hung=deed == "hang")
        case "go":
            lifecycle.want(slot, False)
        case "print" | "print without end":
            os.write(process.output, b"x\n" * (1 if deed == "print" else 400))
        case "nonsense":
            process.write_nonsense()
        case "recycle":
            process.say(RecycleAsked())
    node.turn()


@settings(max_examples=examples(50))
@given(
    faults=st.dictionaries(st.sampled_from(CALLS), st.sampled_from(ERRORS), max_size=3),
    deeds=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=3),
)
def test_neighbours_live_as_if_it_were_not_there(faults: dict[str, int], deeds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        try:
            node.start()
            for name in (TROUBLED, *NEIGHBOURS):
                node.add_job(name, **FIELDS)
            node.settle()
            node.pass_time(0.1)
            with failing(node, faults):
                for deed in deeds:
                    do(deed, node, node.slot(TROUBLED))
                assert_neighbours_are_well(node)
            assert_its_own_end(node)
        finally:
            node.close()


def assert_neighbours_are_well(node: Node) -> None:
    """One that crashes has a successor at once; all are asked to stop, and killed, at their time."""
    slots = [node.slot(name) for name in NEIGHBOURS]
    node.end_child(slots[0], signal=signal.SIGKILL)
    assert slots[0].state is State.STARTING
    node.settle()
    node.pass_time(0.1)
    assert [slot.state for slot in slots] == [State.RUNNING] * 2

    node.parts.lifecycle.stopping = "SIGTERM"
    for slot in (node.slot(TROUBLED), *slots):
        node.parts.lifecycle.want(slot, False)
    node.turn()
    assert [node.signals_to(slot) for slot in slots] == [[signal.SIGTERM]] * 2
    node.pass_time(STOP_S)
    node.pass_time(KILL_PATIENCE_S)
    assert [node.signals_to(slot) for slot in slots] == [[signal.SIGTERM, signal.SIGKILL]] * 2
    for slot in slots:
        node.end_child(slot, signal=signal.SIGKILL)
    assert [slot.state for slot in slots] == [State.STOPPED] * 2


def assert_its_own_end(node: Node) -> None:
    """Its own deadlines held as well: it has ended or is called unkillable, and is let go when it ends after all."""
    slot = node.slot(TROUBLED)
    node.pass_time(STOP_S + 2 * KILL_PATIENCE_S)
    assert slot.unkillable or not slot.is_alive
    if slot.is_alive:
        node.end_child(slot, signal=signal.SIGKILL)
        node.pass_time(4.0)
    assert slot.state is State.STOPPED
