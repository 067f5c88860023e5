"""A daemon's real parts for unit tests; the clock, the signals and every process it starts are the test's."""

import itertools
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from workerd.daemon.node import parts as parts_module
from workerd.daemon.node.fleet_reload import FleetReload
from workerd.daemon.node.ledger import LEDGER_SPEC
from workerd.daemon.node.orders import Orders
from workerd.daemon.node.parts import Parts, build_parts
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.processes import signals as signals_module
from workerd.daemon.processes.forkserver import Forkserver
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire import WIRE_VERSION
from workerd.wire import page as page_module
from workerd.wire.channel import Channel
from workerd.wire.config import DaemonConfig
from workerd.wire.messages import (
    Acknowledged,
    Bear,
    BecameReady,
    BirthFailed,
    Born,
    ForkserverReady,
    ForkserverRejected,
    License,
    Loaded,
    Message,
    Record,
)
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

from .births import FIRST_PID, FakeKernel
from .fakes import FakeClock, Lines, turn

STEP_S = 0.25
BEAT_S = 5.0


class FakeProcess:
    """A process that is none: the test speaks for it at its end of the channel."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.messages: list[Message] = []
        """What the daemon has sent, as far as it was read."""
        self.at_end = self.closed = False
        """Whether the daemon has closed the channel; whether this process has."""
        self._channel = channel
        channel.socket.setblocking(False)

    def say(self, message: Message) -> None:
        """Send a message to the daemon, which reads it in its next turn."""
        self._channel.send(message)

    def hear(self) -> list[Message]:
        """Read what the daemon has sent; return what is new."""
        new: list[Message] = []
        while not self.at_end and (packet := self._receive()) is not None:
            message, descriptors = packet
            self.at_end = message is None
            if message is not None:
                self._take(message, descriptors)
                new.append(message)
        self.messages += new
        return new

    def write_nonsense(self) -> None:
        """Send bytes that are no message."""
        self._channel.socket.send(b"nonsense")

    def close(self) -> None:
        """Close its end, as the end of a process does."""
        self._channel.close()
        self.at_end = self.closed = True

    def _receive(self) -> tuple[Message | None, list[int]] | None:
        try:
            return self._channel.receive()
        except BlockingIOError:
            return None
        except OSError:  # the daemon has closed its end with something unread in it
            return None, []

    def _take(self, message: Message, descriptors: list[int]) -> None:
        """Take descriptors that came with a message: there are none."""


class FakeChild(FakeProcess):
    """A child: says its pid at once; has its own ends of the output pipes and of the heartbeat page."""

    def __init__(self, pid: int, channel: Channel, output: int, errors: int, page: int) -> None:
        super().__init__(pid, channel)
        self.output = output
        self.errors = errors
        self.page = HeartbeatPage(page)

    @property
    def licence(self) -> License:
        return next(message for message in self.messages if isinstance(message, License))

    def write(self, line: str) -> None:
        """Print a line."""
        os.write(self.output, f"{line}\n".encode())

    def become_ready(self) -> None:
        """Load the job, and say that it is ready."""
        self.say(Loaded())
        self.say(BecameReady())

    def close(self) -> None:
        if not self.closed:
            os.close(self.output)
            os.close(self.errors)
            self.page.close()
        super().close()


class FakeForkserver(FakeProcess):
    """A forkserver: has children born when the test says so."""

    def __init__(self, pid: int, channel: Channel, output: int, pids: Iterator[int]) -> None:
        super().__init__(pid, channel)
        self.output = output
        self.asked: list[FakeChild] = []
        """The children that were asked for and are not born yet."""
        self.births: list[int] = []
        """The numbers of the births that were asked for."""
        self._pids = pids

    def write(self, line: str) -> None:
        """Print a line."""
        os.write(self.output, f"{line}\n".encode())

    def become_ready(self) -> None:
        """Say that the project is loaded."""
        self.say(ForkserverReady(WIRE_VERSION, 1, "0", 5.0))

    def reject(self, reason: str, traceback: str = "") -> None:
        """Say that the project does not load."""
        self.say(ForkserverRejected(reason, traceback))

    def refuse_births(self, reason: str) -> None:
        """Say of each birth that was asked for that it could not be done."""
        self.hear()
        for birth in self.births:
            self.say(BirthFailed(birth, reason))
        for child in self.asked:
            child.close()
        self.births.clear()
        self.asked.clear()

    def close(self) -> None:
        if not self.closed:
            os.close(self.output)
        super().close()

    def _take(self, message: Message, descriptors: list[int]) -> None:
        if isinstance(message, Bear):
            channel, output, errors, page = descriptors
            self.births.append(message.birth)
            self.asked.append(FakeChild(next(self._pids), Channel.from_descriptor(channel), output, errors, page))


def orders_of(parts: Parts) -> Orders:
    """Return what takes the orders of a node, as the daemon makes it."""
    obstacle = parts.generations.obstacle
    return Orders(
        *(parts.loop, parts.stack_dumps, parts.slot_set, parts.lifecycle, parts.gate), obstacle, parts.seat_orders
    )


def fleet_reload_of(parts: Parts, reloading: Reloading) -> FleetReload:
    """Return what reloads this node in its turn, as the daemon puts it together."""
    return FleetReload(parts.log, "shop@web1", parts.fleet.rollout_seat, reloading)


class Node:
    """The parts of a daemon as ``build_parts`` builds them; nothing happens until the test turns the loop."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.kernel = FakeKernel()
        self.lines = Lines()
        self.forkservers: list[FakeForkserver] = []
        self.children: dict[int, FakeChild] = {}
        self._pids = itertools.count(FIRST_PID)
        self._undo = ExitStack()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        null = os.open(os.devnull, os.O_WRONLY)
        self._undo.callback(os.close, null)
        for module, name, value in (
            (signals_module, "os", self.kernel),
            (Forkserver, "_spawn", lambda _forkserver, channel, output, _errors: self._spawn(channel, output)),
            (page_module, "_monotonic", lambda: self.clock.now),
            (parts_module, "STDOUT", null),
            (parts_module, "_raise_descriptor_limit", lambda: limits),
        ):
            self._undo.enter_context(patch.object(module, name, value))
        config = DaemonConfig("shop", str(folder), "web1", "0", ("/nowhere",), str(folder), "json", tree=str(folder))
        self.parts = build_parts(config._replace(**settings), self.clock)
        self.parts.log.taps.add(self.lines.write_line)

    # time

    def turn(self) -> None:
        """Have the loop do what is ready and due."""
        turn(self.parts.loop)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps: a loop that finds its timers late takes itself for one that stood still."""
        until = self.clock.now + seconds
        while (left := until - self.clock.now) > 1e-9:
            self.stand_still(min(left, STEP_S))

    def go_on(self, seconds: float) -> None:
        """Let time pass in which the processes of the daemon's own slots beat."""
        until = self.clock.now + seconds
        while (left := until - self.clock.now) > 1e-9:
            for slot in self.parts.slot_set.builtins():
                if slot.child is not None and slot.child.pid in self.children:
                    self.child_in(slot).page.beat()
            self.pass_time(min(BEAT_S, left))

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which the loop does not turn, as in a daemon that is stopped."""
        self.clock.advance(seconds)
        self.turn()

    # forkservers

    @property
    def forkserver(self) -> FakeForkserver:
        """The newest one."""
        return self.forkservers[-1]

    def start(self) -> None:
        """Start a forkserver that is ready, and the ledger on it."""
        self.parts.ledger.start()
        self.parts.generations.start()
        self.forkserver.become_ready()
        self.settle()

    def end_forkserver(self, forkserver: FakeForkserver, *, code: int | None = None, signal: int | None = None) -> None:
        """Have a forkserver end, and be reaped."""
        forkserver.close()
        known = self.parts.generations.find(forkserver.pid)
        assert known is not None
        self.parts.generations.reaped(known, ExitStatus(code, signal))
        self.turn()

    # children

    def add_job(self, name: str = "feed", problem: str = "", **fields: Any) -> LiveSlot:
        """Have a job's row, as the ledger tells it; return its first slot."""
        self.parts.slot_set.apply(name, JobSpec(name, **fields), problem)
        return self.slot(name)

    def slot(self, name: str, index: int = 0) -> LiveSlot:
        """Return a slot of a job, or the ledger's."""
        slots = (*self.parts.slot_set.job_slots(), *self.parts.slot_set.builtins())
        return next(slot for slot in slots if (slot.spec.name, slot.index) == (name, index))

    @property
    def ledger(self) -> FakeChild:
        """The ledger's process."""
        return self.child_in(self.slot(LEDGER_SPEC.name))

    def child_in(self, slot: LiveSlot) -> FakeChild:
        """Return the process in a slot."""
        assert slot.child is not None, f"{slot.name} is {slot.state}: {slot.reason}"
        assert slot.child.pid is not None
        return self.children[slot.child.pid]

    def bear(self) -> list[FakeChild]:
        """Have every child born that was asked for; return those that are new."""
        self.turn()
        new: list[FakeChild] = []
        for forkserver in self.forkservers:
            forkserver.hear()
            new += forkserver.asked
            forkserver.asked.clear()
        for child in new:
            self.children[child.pid] = child
            child.say(Born(child.pid))
        self.turn()
        return new

    def settle(self) -> None:
        """Have every child born, load and become ready, until there is nothing more to do."""
        while self.bear() or self._have_loaded():
            self.turn()

    def end_child(self, slot: LiveSlot, *, code: int | None = None, signal: int | None = None) -> None:
        """Have the child in a slot end, and be reaped."""
        child = self.children.pop(self.child_in(slot).pid)
        child.hear()
        child.close()
        known = self.parts.births.forget(child.pid)
        self.parts.loop.attempt(
            lambda: self.parts.exits.conclude(known, ExitStatus(code, signal))
        )  # as the reaper does
        self.turn()

    def signals_to(self, slot: LiveSlot) -> list[int]:
        """Return the signals that the child in a slot was sent, or its group."""
        pid = self.child_in(slot).pid
        return [number for to, number in self.kernel.signals if to == pid]

    # the ledger

    def records(self, kind: str) -> list[Record]:
        """Return the records of a kind that the ledger has been sent by now, and has not acknowledged."""
        self.parts.ledger.flush()
        self.ledger.hear()
        return [message for message in self.ledger.messages if isinstance(message, Record) and message.kind == kind]

    def acknowledge(self) -> None:
        """Have the ledger take every record into its journal."""
        self.parts.ledger.flush()
        self.ledger.hear()
        sequences = [message.sequence for message in self.ledger.messages if isinstance(message, Record)]
        self.ledger.say(Acknowledged(max(sequences, default=0)))
        self.turn()

    def tell(self, *messages: Message) -> None:
        """Have the ledger say something."""
        for message in messages:
            self.ledger.say(message)
        self.turn()

    # the end

    def close(self) -> None:
        """Close what is open, and give the modules back what was taken from them."""
        for process in (*self.children.values(), *self.forkservers):
            process.close()
        for forkserver in self.forkservers:
            for child in forkserver.asked:
                child.close()
        for known in tuple(self.parts.generations.processes()):
            with suppress(OSError):
                known.bury(ExitStatus(code=0))
        self.parts.births.close()
        for born in self.parts.births.children.values():
            if not born.buried:
                born.bury()
        self.parts.stdout.close()
        if self.parts.sd_notifier._socket is not None:
            self.parts.sd_notifier._socket.close()  # the daemon keeps it to its end
        self._undo.close()

    def _spawn(self, channel: int, output: int) -> int:
        pid = next(self._pids)
        end = Channel.from_descriptor(os.dup(channel))
        self.forkservers.append(FakeForkserver(pid, end, os.dup(output), self._pids))
        return pid

    def _have_loaded(self) -> bool:
        licensed = [child for child in self.children.values() if any(isinstance(m, License) for m in child.hear())]
        for child in licensed:
            child.become_ready()
        return bool(licensed)
