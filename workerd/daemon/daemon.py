"""The daemon put together: its parts, what starts it, and what its parts tell each other through it."""

import resource
import signal
import traceback
from pathlib import Path

from workerd.wire import exit_codes, prctl
from workerd.wire.config import DaemonConfig
from workerd.wire.messages import Message
from workerd.wire.words import Outcome, State

from .io.control import ControlSocket
from .io.log import EventLog
from .io.loop import Loop
from .io.records import RecordQueue
from .io.sd_notify import SdNotifier
from .io.stdout import Stdout
from .io.versions import Versions
from .node.audit import Audit
from .node.ledger import LEDGER_SPEC, Ledger
from .node.node_record import NodeRecord
from .node.observer import OBSERVER_SPEC, Counters
from .node.orders import Orders
from .node.readiness import Readiness
from .node.reloading import Reloading
from .node.requests import Requests
from .node.shutdown import Shutdown
from .node.state_dir import StateDir
from .node.status_line import StatusLine
from .processes.births import Births
from .processes.child import Child
from .processes.generations import Generations
from .processes.leftovers import Leftovers
from .processes.reaper import reap
from .processes.stack_dump import dump
from .rules.clock import SystemClock
from .rules.outcome import ExitStatus
from .slots.child_messages import ChildMessages
from .slots.effects import Effects
from .slots.exits import Exits
from .slots.lifecycle import Lifecycle
from .slots.pacing import Pacing
from .slots.rollout import Rollout
from .slots.slot import LiveSlot
from .slots.slot_set import SlotSet
from .slots.watchdog import Watchdog

STDOUT = 1


class Daemon:
    """One node: built, run until it is told to stop, ended in order."""

    def __init__(self, config: DaemonConfig) -> None:
        self._state_dir = StateDir(config)
        self.config = config
        self.clock = SystemClock()
        self._started, self.started_wall = self.clock.monotonic(), self.clock.wall()
        self.counters: Counters | None = None
        """What the observer is told of the past, where there is one."""
        self._stranger_left = False
        self.loop = Loop(self.clock, self._survive)
        self.sd_notifier = SdNotifier(self.loop)
        self._status_line = StatusLine(self.loop, self)
        self._stdout = Stdout(self.loop, STDOUT, lambda lines: self.log.emit("log.dropped", lines=lines))
        self.log = EventLog(self._stdout, config.log_format == "console")
        self._versions = Versions(Path(config.state_dir) / f"{config.name}.epoch", self.clock)
        self.records = RecordQueue(self._versions)
        self._build_births()
        self._build_supervision()

    def _build_births(self) -> None:
        """What gives birth, and what the lives of slots ask of it."""
        loop, log, records = self.loop, self.log, self.records
        self._pacing = Pacing(lambda slot: self.lifecycle.turn_came(slot))  # noqa: PLW0108 - made below
        self.slot_set = SlotSet(loop, records)
        self.lifecycle = self.slot_set.lifecycle = Lifecycle(loop, log, self._pacing, self._changed)
        self.generations = Generations(
            loop,
            log,
            self.config,
            _raise_descriptor_limit(),
            lambda *failed: self.births.birth_failed(*failed),  # noqa: PLW0108
        )
        self.generations.on_ready = self._generation_ready
        self._child_messages = ChildMessages(log, records, self.lifecycle, self._pacing, self._ledger_heard)
        self.births = Births(loop, log, self.generations, self.lifecycle, self._born, self._child_messages.receive)
        self.generations.on_trouble = self.births.explain
        self._node_record = NodeRecord(self.config, self.started_wall, records, self.slot_set, self.generations)
        identity = (self.config.name, self.config.host)
        self._effects = Effects(loop, log, self.lifecycle, identity, self._node_record.note_run)
        self.lifecycle.effects = self._effects.by_name(self._pacing, self.births)

    def _build_supervision(self) -> None:
        """What watches and steers them."""
        loop, log, records = self.loop, self.log, self.records
        self.shutdown = Shutdown(loop, log, self)
        self.orders = Orders(loop, log, self.slot_set, self.lifecycle, self.generations.obstacle)
        self._rollout = Rollout(self.lifecycle, self.config.max_unavailable, self.generations.obstacle)
        self.reloading = Reloading(self.generations, self._rollout, self.sd_notifier, lambda: bool(self.shutdown.begun))
        self.audit = Audit(log, self.clock, records, self.orders, self.reloading.ask)
        self.ledger = Ledger(log, self.clock, records, self.slot_set, self.shutdown.drained, self.audit.carry_out)
        self.ledger.on_recovered = lambda: self._effects.database_recovered(self.slot_set.job_slots())
        self._exits = Exits(loop, log, records, self.lifecycle, self._is_database_out)
        obstacle = self.generations.obstacle
        self._watchdog = Watchdog(
            loop, log, self.lifecycle, self.slot_set.slots, self._child_messages.recycle, obstacle
        )
        self.leftovers = Leftovers(loop, log, self.config.tree, self.births)
        self.readiness = Readiness(log, self.clock, self.sd_notifier, self.slot_set, self.ledger)

    def run(self) -> int:
        """Supervise until stopped; return the exit code."""
        prctl.become_subreaper()
        self._catch_signals()
        config = self.config
        control = ControlSocket(self.loop, Path(config.state_dir), config.name, Requests(self).answer)
        self._state_dir.watch(self.loop, self.log, control, self._versions.keep, self._yield_to)
        said = {"name": config.name, "host": config.host, "state_dir": config.state_dir, "version": config.version}
        self.log.emit("daemon.started", **said)
        self.ledger_slot = self.slot_set.add_builtin(LEDGER_SPEC)
        if config.http_bind:
            self.counters = Counters()
            self.log.taps.add(self.counters.count_line)
            self.slot_set.add_builtin(OBSERVER_SPEC)
        self.leftovers.end_leftovers(self._begin)
        for call in (self._finish_turn, self.slot_set.write_rows, self.ledger.flush, self._stdout.flush):
            self.loop.at_turn_end(call)
        self.sd_notifier.start()
        self.loop.run()
        code, seconds = self.shutdown.exit_code, round(self.clock.monotonic() - self._started, 3)
        self.log.emit("daemon.stopped", exit_code=code, seconds=seconds)
        self._state_dir.end()
        self._stdout.close()
        return code

    def _yield_to(self, reason: str) -> None:
        if not self.shutdown.begun:
            self.shutdown.begin(reason, exit_codes.TRY_LATER)

    def _begin(self) -> None:
        if not self.shutdown.begun:
            self.generations.start()
            self._node_record.note_node()
            self.slot_set.note_progress()

    def _catch_signals(self) -> None:
        self.loop.on_signal(signal.SIGCHLD, self._reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.on_signal(number, lambda name=number.name: self.shutdown.begin(name))  # type: ignore[misc]
        self.loop.on_signal(signal.SIGHUP, lambda: self.reloading.ask(lambda _answer: None))
        self.loop.on_signal(signal.SIGUSR2, self._dump_all)
        for number in (signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        self.loop.catch_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _dump_all(self) -> None:
        for child in tuple(self.births.children.values()):
            if child.slot is not None and not child.dumped:
                dump(self.loop, self.log, child, lambda _stack: None)

    # what the parts tell each other through us

    def _born(self, slot: LiveSlot, child: Child) -> None:
        slot.child = child
        self.lifecycle.born(slot)
        if slot is self.ledger_slot:
            self.ledger.begun(child)
            self._node_record.note_node()

    def _changed(self, slot: LiveSlot) -> None:
        child = slot.child
        if slot.state is State.RUNNING and child is not None and child.ready_at is None:
            child.become_ready(self.clock.monotonic(), self.clock.wall(), self.log)
            self._node_record.note_run(slot)
        self._watchdog.wake(slot)  # an edit too may have set a limit
        if slot.spec is LEDGER_SPEC:
            self._ledger_changed(slot)
        if (
            slot.state is State.PARKED
            and slot.spec.significant
            and self.config.exit_when_parked
            and not self.shutdown.begun
        ):
            self.shutdown.begin(f"{slot.name} is parked, and is significant: {slot.reason}", exit_codes.OWN_FAULT)
        self.slot_set.note_change(slot)
        self._status_line.wake()

    def _ledger_changed(self, slot: LiveSlot) -> None:
        if slot.child is not None and slot.child.verdict is Outcome.HUNG:
            self.ledger.hung()
        elif slot.child is None and slot.reason:
            self.ledger.missing()

    def _ledger_heard(self, child: Child, message: Message) -> None:
        self.ledger.heard(child, message)
        self._status_line.wake()

    def _reap(self) -> None:
        self._stranger_left = reap(self.births, self._reaped)

    def _reaped(self, pid: int, end: ExitStatus) -> None:
        if (forkserver := self.generations.find(pid)) is not None:
            self.generations.reaped(forkserver, end)
            return
        child = self.births.forget(pid)
        self._exits.conclude(child, end)
        self.leftovers.end_adopted()

    def _is_database_out(self, alias: str) -> bool | None:
        """Whether it is the ledger's database, and the ledger does not reach it either; None where it did before."""
        if alias != self.config.database:
            return False
        return True if self.ledger.reachable is False else None

    def _generation_ready(self, replaced: bool) -> None:
        self._node_record.note_node()
        self.births.generation_ready(replaced)
        if replaced:
            slots = [
                *(one for one in self.slot_set.builtins() if one is not self.ledger_slot),
                *self.slot_set.job_slots(),
            ]
            self._rollout.start(self.ledger_slot, slots, self.generations.number)

    def _finish_turn(self) -> None:
        if self._stranger_left and not self.births.expects_births():
            self._reap()
        if self.shutdown.begun:
            self.shutdown.go_on()
        else:
            self.readiness.look()
        self._rollout.go_on()
        self.orders.go_on()
        if self._pacing.idle:
            self.births.replenish()

    def _survive(self, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        self.log.emit("daemon.degraded", reason=f"a fault of workerd's own was survived: {error!r}", traceback=trace)


def _raise_descriptor_limit() -> tuple[int, int]:
    """Raise our soft limit to the hard one; return the limits that children get back."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    return limits
