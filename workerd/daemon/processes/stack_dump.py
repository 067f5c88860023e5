"""The stacks of a child: asked for by a real-time signal, read from its output pipe; or why there are none."""

import signal
from collections.abc import Callable
from typing import NamedTuple

from workerd.daemon.io.files import read_text
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.wire.messages import DUMP_SIGNAL

from .child import Child

QUIET_S = 0.05
"""faulthandler marks no end: a dump is over when nothing more has come for this long."""
PATIENCE_S = 1.0

Done = Callable[[str], None]
"""Called with the stacks, or with “no stack, because …”."""


class Condition(NamedTuple):
    """A child's state as a letter, and whether it catches the dump signal, as /proc/PID/status tells them."""

    letter: str
    caught: bool

    @classmethod
    def read(cls, pid: int) -> "Condition":
        """Look at a child, which only the daemon could reap meanwhile. Raises OSError where /proc has nothing."""
        text = read_text(f"/proc/{pid}/status")
        lines = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        mask = int(lines.get("SigCgt", "0"), 16)
        return cls(lines["State"].strip()[:1], bool(mask >> (DUMP_SIGNAL - 1) & 1))


class StackDumps:
    """Takes the stacks of children; whoever asks while a dump of the same child is under way shares it."""

    def __init__(self, loop: Loop, log: EventLog) -> None:
        self._loop = loop
        self._log = log
        self._under_way: dict[Child, Dump] = {}

    def take(self, child: Child, on_done: Done) -> None:
        """Have ``child`` write its stacks, then call ``on_done``; a child that ends first calls nobody."""
        if child not in self._under_way:
            self._under_way[child] = Dump(self._loop, self._log, child, lambda: self._under_way.pop(child))
        self._under_way[child].waiting.append(on_done)


class Dump:
    """One dump of one child, and who waits for it; ``on_end`` is called when it is over, however."""

    def __init__(self, loop: Loop, log: EventLog, child: Child, on_end: Callable[[], object]) -> None:
        self._loop = loop
        self._log = log
        self._child = child
        self._on_end = on_end
        self.waiting: list[Done] = []
        self._timer: Timer
        reason = self._ask()
        if reason:
            stack = f"no stack, because {reason}"
            log.emit("child.stack", **child.identity, reason=stack)
            self._timer = loop.call_in(0.0, lambda: self._finish(stack))
        else:
            child.output.capture(self._another_line)
            self._end = loop.clock.monotonic() + PATIENCE_S
            self._timer = loop.call_at(self._end, self._collect)

    def _another_line(self) -> None:
        """Wait a little for the next line, but not for ever: other threads of the child may print on and on."""
        self._timer.cancel()
        quiet = self._loop.clock.monotonic() + QUIET_S
        self._timer = self._loop.call_at(min(quiet, self._end), self._collect)

    def _collect(self) -> None:
        if self._child.buried:  # its end has told what there was
            self._on_end()
            return
        stack = self._child.tell_stack(self._log)
        if not stack:
            stack = f"no stack, because it wrote none within {PATIENCE_S:g} s"
            self._log.emit("child.stack", **self._child.identity, reason=stack)
        self._finish(stack)

    def _finish(self, stack: str) -> None:
        self._on_end()
        for done in self.waiting if not self._child.buried else ():
            done(stack)

    def _ask(self) -> str:
        """Send the signal; return why not, where it would do harm or nothing."""
        assert self._child.pid is not None
        if self._child.ended:
            return "it has just ended"
        try:
            condition = Condition.read(self._child.pid)
        except (OSError, KeyError, ValueError) as error:
            return f"/proc does not show it: {error}"
        if condition.letter == "D":
            return "it is in an uninterruptible wait of the kernel (state D)"
        if condition.letter == "Z":
            return "it has just ended"
        if not condition.caught and not self._child.loaded:
            return "it has not begun its job" + (": it is stopped (state T)" if condition.letter in "Tt" else "")
        if not condition.caught:
            return "it does not catch the dump signal: it has executed another program, or reset its signals"
        if reason := self._child.signal(DUMP_SIGNAL, self._log):
            return f"the signal that asks for it could not be sent: {reason}"
        if condition.letter in "Tt":
            self._child.signal(signal.SIGCONT, self._log)
        return ""
