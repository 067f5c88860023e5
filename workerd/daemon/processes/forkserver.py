"""One forkserver as the daemon knows it: a process that loads one generation of the project and starts children."""

import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from workerd.daemon.io.child_output import ChildOutput
from workerd.daemon.io.link import Link
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire import WIRE_VERSION
from workerd.wire.channel import Channel
from workerd.wire.config import DaemonConfig
from workerd.wire.messages import Bear, BirthFailed, ForkserverReady, ForkserverRejected, Load, Message, Rehearse
from workerd.wire.packets import WireError
from workerd.wire.reasons import Reason
from workerd.wire.spec import JobSpec

from .child import RECORD_SEPARATOR, Child
from .proc import FORKSERVER_RUN
from .program import EXEC_FAILED, Program
from .signals import kill_all

LOAD_PATIENCE_S = 300.0
"""A project that takes longer to import hangs."""
RUN_LENGTH = len(str(uuid.UUID(int=0)))


class Present(NamedTuple):
    """The jobs that the generation to be replaced can run, so that the next one must load them, too."""

    jobs: Sequence[JobSpec]
    unsound: list[str]
    """The names in the settings that the generation to be replaced could not load."""


class Listener(NamedTuple):
    """The calls that tell that a forkserver is ready, that it was rejected, and that a birth came to nothing."""

    ready: "Callable[[Forkserver], None]"
    rejected: "Callable[[Forkserver, str], None]"
    birth_failed: Callable[[int, str], None]


class Forkserver:
    """A process that is started at once; births that were asked of one that dies show as end-of-file, each."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        config: DaemonConfig,
        limits: tuple[int, int],
        generation: int,
        listener: Listener,
        present: Present | None = None,
    ) -> None:
        """Start it; where it is to replace a generation, it has to load all that ``present`` runs."""
        self._loop = loop
        self._log = log
        self._config = config
        self._limits = limits
        self._listener = listener
        self.generation = generation
        self.run = (FORKSERVER_RUN + uuid.uuid4().hex)[:RUN_LENGTH]
        """Marks what the project starts as it is loaded; a child overwrites it with its run's, so they are as long."""
        self.ready = self._was_ready = False
        self._dismissed = False
        self.rejection = Reason("")
        self.unsound: list[str] = []
        self._start(present)
        self._started, self.load_s = loop.clock.monotonic(), 0.0
        self._patience_s = LOAD_PATIENCE_S
        self._overdue = loop.call_in(LOAD_PATIENCE_S, self._load_is_overdue)

    def _start(self, present: Present | None) -> None:
        mark = RECORD_SEPARATOR + os.urandom(8).hex()
        # What a fork that fails had opened is closed, too: it is tried again and again.
        with ExitStack() as if_it_fails, ExitStack() as in_any_case:
            ours, theirs = Channel.pair()
            if_it_fails.callback(ours.close)
            in_any_case.callback(theirs.close)
            pipes = []
            for _ in ("stdout", "stderr"):
                pipes.append(os.pipe())
                if_it_fails.callback(os.close, pipes[-1][0])
                in_any_case.callback(os.close, pipes[-1][1])
            (stdout, their_stdout), (stderr, their_stderr) = pipes
            self.pid = self._spawn(theirs.fileno(), their_stdout, their_stderr)
            if_it_fails.pop_all()
        self._output = ChildOutput(self._loop, self._log, stdout, stderr)
        self._output.mark = mark.encode()
        self._output.identity = {"pid": self.pid, "generation": self.generation}
        self._link = Link(self._loop, ours, self._heard, self._fell_silent, self._complain)
        jobs, unsound = present or ((), [])
        replaces = present is not None
        self._link.send(Load(os.getpid(), self.generation, mark, self._config.name, replaces, len(jobs), unsound))
        for spec in jobs:
            self._link.send(Rehearse(spec.to_dict()))
        self._log.emit("forkserver.started", generation=self.generation, forkserver_pid=self.pid)

    def bear(self, child: Child, *, spare: bool) -> None:
        """Ask for a birth, and pass the child's ends of its descriptors; nobody waits yet for a ``spare``."""
        self._link.send(Bear(child.birth, spare), child.theirs)

    def hurry(self, patience_s: float) -> None:
        """Give it no longer than that from its start to load: it may hang, and somebody waits for the load after it."""
        if self._overdue.call is not None and patience_s < self._patience_s:
            self._overdue.cancel()
            self._patience_s = patience_s
            self._overdue = self._loop.call_at(self._started + patience_s, self._load_is_overdue)

    def stop(self) -> None:
        """Close its channel, at whose end it ends."""
        self.ready, self._dismissed = False, True
        self._link.close()

    def kill(self) -> None:
        """Send SIGKILL to it and to its group."""
        kill_all(self.pid)

    def bury(self, end: ExitStatus) -> None:
        """Read what a reaped forkserver still said; one that ended before it was ready is rejected."""
        self.ready = False
        self._overdue.cancel()
        self._link.read_all()
        self._link.close()
        self._output.finish(lambda: None, patience_s=0.0)
        self._output.close()
        if not (self._was_ready or self.rejection or self._dismissed):
            lines = b"\n".join(self._output.last_lines).decode("utf-8", "replace")
            if end.code == EXEC_FAILED and lines:
                own = "it could not be started"
                self._reject(Reason(f"{own}: {lines}", own), "")
            else:
                how = end.signal_name or f"exit code {end.code}"
                own = f"it ended before it was ready ({how})"
                self._reject(Reason(f"{own}{_last_words(lines, end)}", own), lines)

    def _heard(self, message: Message) -> None:
        match message:
            case ForkserverReady():
                self._become_ready(message)
            case ForkserverRejected():
                self._reject(Reason(message.reason, _kind_of_error(message.reason)), message.traceback)
            case BirthFailed():
                self._listener.birth_failed(message.birth, message.reason)

    def _become_ready(self, message: ForkserverReady) -> None:
        self._overdue.cancel()
        if message.wire_version != WIRE_VERSION:
            self._reject(Reason("it runs another version of workerd than the daemon: restart the service"), "")
            self.stop()
            return
        self.ready = self._was_ready = True
        self.load_s = self._loop.clock.monotonic() - self._started
        self.unsound = message.unsound
        self._log.emit(
            "forkserver.ready",
            generation=self.generation,
            forkserver_pid=self.pid,
            load_ms=message.load_ms,
            jobs=len(message.jobs),
        )
        self._listener.ready(self)

    def _reject(self, reason: Reason, traceback: str) -> None:
        self.rejection = reason
        self._log.emit("forkserver.rejected", generation=self.generation, reason=reason, traceback=traceback or None)
        self._listener.rejected(self, f"{reason}\n{traceback}".strip())

    def _load_is_overdue(self) -> None:
        waited = ", and another reload waits" if self._patience_s < LOAD_PATIENCE_S else ""
        self._reject(Reason(f"the project is not imported after {self._patience_s:.0f} s{waited}"), "")
        self.kill()

    def _fell_silent(self) -> None:
        self.ready = False  # its end will be reaped

    def _complain(self, error: WireError) -> None:
        reason = f"a message from the forkserver was ignored: {error}"
        self._log.emit("protocol.violated", pid=self.pid, generation=self.generation, reason=reason)

    def _spawn(self, channel: int, stdout: int, stderr: int) -> int:
        argv = (*self._config.forkserver_argv, "--channel")
        program = Program(argv, self._config.tree, self._limits, self._config.cwd)
        return program.start(self.run, (stdout, stderr), [channel])


def _last_words(printed: str, end: ExitStatus) -> str:
    """Return the last line of the traceback with which Python itself has ended, with exit code 1; "" where none is."""
    lines = [line for line in printed.splitlines() if not line.startswith("{")]  # an event of the log is no traceback
    return f": {lines[-1]}" if end.code == 1 and lines else ""


def _kind_of_error(reason: str) -> str:
    """Return what everybody may read of why the project does not load: the exception's name, not its words."""
    kind = reason.partition(":")[0]
    return f"its code does not load{f' ({kind})' if kind.isidentifier() else ''}, the log says why"
