"""One job in the foreground, for its author: no fork, no daemon, logs for a person, Ctrl-C stops it gracefully."""

import sys
import uuid
from collections.abc import MutableMapping
from typing import Any

import structlog

from workerd.registry import autodiscover
from workerd.wire.messages import Message, RecycleAsked, Refused
from workerd.wire.spec import JobSpec

from .beats import Beats
from .context import JobContext
from .logs import install_logging
from .run import JobRun, run_target, stop_signals
from .stopping import StopRequest


def run_once(spec: JobSpec) -> int:
    """Run the job in this process until it ends or is asked to stop; return the exit code that its child would have.

    A second Ctrl-C interrupts at once. Raises what a broken ``jobs`` module raises.
    """
    autodiscover()
    log = install_logging(_ConsoleRenderer(colors=sys.stderr.isatty()), _Terminal())
    stop = StopRequest(impatient=True)
    stop.listen(stop_signals(spec))
    sender = _ConsoleSender(stop)
    try:
        context = JobContext(
            spec.name,
            0,
            str(uuid.uuid4()),
            beats=Beats(_NullPage(spec.processes), spec.heartbeat_timeout),
            stop=stop,
            sender=sender,
            log=structlog.get_logger(spec.name),
        )
        return run_target(JobRun(spec, spec.name, context, stop, sender, log))
    finally:
        stop.close()


class _NullPage:
    """A page without a reader."""

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def beat(self) -> None:
        """Beat for nobody."""

    def allow(self, seconds: float | None) -> None:
        """Ask nobody for patience."""

    def count_opened(self) -> None:
        """Count for nobody."""

    def count_closed(self) -> None:
        """Count for nobody."""

    def write_note(self, text: str) -> None:
        """Note for nobody."""


class _ConsoleSender:
    """Says to the person what a child would say to the daemon."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def send(self, message: Message) -> None:
        """Say a refusal; take the wish for a successor as the end."""
        if isinstance(message, Refused):
            sys.stderr.write(f"{message.reason}\n")
        elif isinstance(message, RecycleAsked):
            self._stop.ask()


class _ConsoleRenderer:
    """Renders events as structlog does for a terminal."""

    def __init__(self, colors: bool) -> None:
        self._console = structlog.dev.ConsoleRenderer(colors=colors)

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the line, without a newline; with a traceback, several."""
        return str(self._console(None, "", event)).encode("utf-8", "backslashreplace")


class _Terminal:
    """Standard error."""

    def write_line(self, line: bytes) -> None:
        """Write one rendered line."""
        sys.stderr.write(f"{line.decode()}\n")
