"""The daemon put together: what it supervises with, what starts it, what happens in each turn, and how it ends."""

import signal

from workerd.wire import exit_codes, prctl
from workerd.wire.config import DaemonConfig
from workerd.wire.reasons import Reason

from .io.control import ControlSocket
from .io.feed import Feed
from .io.terminal import Terminal
from .node.alerts import Alerts
from .node.audit import Audit
from .node.exporter import exporter_program, exporter_spec
from .node.fleet_reload import FleetReload
from .node.node_record import NodeRecord
from .node.observer import Counters, observer_program, observer_spec
from .node.orders import Orders
from .node.parts import build_parts
from .node.readiness import Readiness
from .node.registration import Registration
from .node.reloading import Reloading
from .node.requests import Requests
from .node.shutdown import Shutdown
from .node.state_dir import StateDir
from .node.status import Status, StatusLine
from .processes.reaper import Reaper
from .rules.clock import SystemClock
from .rules.outcome import ExitStatus
from .slots.slot import slot_of


class Daemon:
    """One node: built, run until it is told to stop, ended in order."""

    def __init__(self, config: DaemonConfig) -> None:
        """Raise DaemonRunsError where another daemon of this NAME runs, OSError where STATE_DIR cannot be used."""
        self._state_dir = StateDir(config)
        self._config = config
        self._clock = clock = SystemClock()
        self._started = clock.monotonic()
        self._terminal = Terminal()
        self._parts = parts = build_parts(config, clock)
        self._counters = Counters() if config.http_bind else None
        parts.log.feed = Feed() if config.otlp_endpoint else None
        self._reaper = Reaper(parts.loop, parts.births, self._reaped)
        obstacle = parts.generations.obstacle
        self._shutdown = Shutdown(parts)
        self._orders = Orders(
            parts.loop, parts.stack_dumps, parts.slot_set, parts.lifecycle, parts.gate, obstacle, parts.seat_orders
        )
        self._reloading = Reloading(parts, self._shutdown)
        self._node_record = NodeRecord(parts, self._reloading)
        self._registration = Registration(parts)
        self._registration.on_displaced.add(self._yield_to)
        self._registration.on_anew.add(self._node_record.note_all)
        self._registration.on_anew.add(parts.slot_set.note_all)
        where = f"{config.name}@{config.host}"
        fleet_reload = FleetReload(parts.log, where, parts.fleet.rollout_seat, self._reloading)
        audit = Audit(parts, self._orders, self._reloading, fleet_reload)
        self._readiness = Readiness(parts)
        self._alerts = Alerts(parts, self._readiness)
        status = Status(parts, self._shutdown, self._readiness, self._reloading, self._counters, self._alerts)
        StatusLine(parts, self._shutdown, self._reloading)
        requests = Requests(
            parts.log, self._orders, audit, self._reloading, self._shutdown, status, parts.drain, parts.log.feed
        )
        self._control = ControlSocket(parts.loop, config.state_dir, config.name, requests.answer)

    def run(self) -> int:
        """Supervise until stopped; return the exit code."""
        prctl.become_subreaper()
        self._catch_signals()
        config, parts = self._config, self._parts
        self._state_dir.watch(parts.loop, parts.log, self._control, self._put_back, self._yield_to)
        where = {"name": config.name, "host": config.host, "state_dir": config.state_dir}
        parts.log.emit("daemon.started", **where, version=config.version)
        self._registration.say_fault()
        parts.ledger.start()
        self._alerts.start()
        if self._counters is not None:
            parts.log.taps.add(self._counters.count_line)
        parts.earlier.end(self._start_processes)
        flushes = (parts.slot_set.write_share, parts.ledger.flush, self._alerts.flush, parts.stdout.flush)
        for call in (self._finish_turn, *flushes):
            parts.loop.at_turn_end(call)
        parts.sd_notifier.start()
        parts.loop.run()
        return self._end()

    def _end(self) -> int:
        code, seconds = self._shutdown.exit_code, round(self._clock.monotonic() - self._started, 3)
        self._parts.log.emit("daemon.stopped", exit_code=code, seconds=seconds)
        self._state_dir.end()
        self._parts.stdout.close()
        return code

    def _put_back(self) -> None:
        """Write anew what was in STATE_DIR."""
        self._parts.identity.keep()
        self._parts.versions.keep()
        self._parts.roster.rewrite()

    def _yield_to(self, reason: str) -> None:
        """Stop in favour of another daemon that has this one's place in STATE_DIR, or its node."""
        if not self._shutdown.begun:
            self._shutdown.begin(Reason(reason), exit_codes.TRY_LATER)

    def _start_processes(self) -> None:
        """Start, now that nothing of an earlier daemon is left that could do the same work twice."""
        if not self._shutdown.begun:
            config, limits, slot_set = self._config, self._parts.limits, self._parts.slot_set
            if config.http_bind:
                slot_set.add_builtin(observer_spec(config), observer_program(config, limits))
            if config.otlp_endpoint:
                slot_set.add_builtin(exporter_spec(config), exporter_program(config, limits))
            self._parts.generations.start()
            self._parts.sampler.start()
            self._node_record.note_node()
            self._parts.slot_set.note_progress()

    # signals

    def _catch_signals(self) -> None:
        loop = self._parts.loop
        loop.on_signal(signal.SIGCHLD, self._reaper.reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.on_signal(number, lambda name=number.name: self._shutdown.begin(Reason(name)))  # type: ignore[misc]
        loop.on_signal(signal.SIGHUP, self._hang_up)
        loop.on_signal(signal.SIGUSR2, self._dump_all)
        for number in (signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        loop.catch_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # blocked by the command before its exec, so that none was lost

    def _hang_up(self) -> None:
        """Reload, as daemons do; but stop where the signal says that the terminal of the daemon's start has gone."""
        if not self._terminal.has_gone:
            self._reloading.ask(lambda _answer: None)
        elif not self._shutdown.begun:  # the kernel and the shell each send one
            self._shutdown.begin(Reason("its terminal has gone"))

    def _dump_all(self) -> None:
        for child in tuple(self._parts.births.children.values()):
            if slot_of(child) is not None and not child.dumped:
                self._parts.stack_dumps.take(child, lambda _stack: None)

    def _reaped(self, pid: int, end: ExitStatus) -> None:
        parts = self._parts
        if (forkserver := parts.generations.find(pid)) is not None:
            # The project may have started processes as it was loaded.
            parts.loop.attempt(lambda: parts.leftovers.end_run(forkserver.run, pid, {}))
            parts.generations.reaped(forkserver, end)
            return
        child = parts.births.forget(pid)
        parts.roster.forget(pid)
        parts.loop.attempt(lambda: parts.leftovers.end_run(child.run, pid, child.identity))
        parts.exits.conclude(child, end)

    # turns

    def _finish_turn(self) -> None:
        births = self._parts.births
        self._reaper.look_again()
        if self._shutdown.begun:
            self._shutdown.go_on()
        else:
            self._readiness.look()
        self._parts.rollout.go_on()
        self._orders.go_on()
        self._parts.drain.go_on()
        if self._parts.pacing.idle:
            births.replenish()
