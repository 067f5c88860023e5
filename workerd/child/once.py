"""Runs one job in the foreground, for its author: no fork, no daemon, a readable log; Ctrl-C stops it gracefully."""

import sys
import uuid
from collections.abc import MutableMapping
from typing import Any

import structlog

from workerd.conf import get_settings
from workerd.registry import autodiscover
from workerd.wire.messages import Message, RecycleAsked, Refused
from workerd.wire.spec import JobSpec

from .beats import Beats
from .context import JobContext
from .identity import take_identity
from .interpreter_end import end_interpreter
from .logs import install_logging
from .run import JobRun, run_target, stop_signals
from .runtime import ProcessRuntime
from .secrets import SECRETS
from .stopping import StopRequest


def run_once(spec: JobSpec) -> int:
    """Run the job in this process until it ends or is asked to stop; return the exit code that a child would have.

    A second Ctrl-C interrupts the job at once. Raises what the import of a broken ``jobs`` module raises.
    """
    autodiscover()
    spec = spec.for_slot(0)
    run_id = str(uuid.uuid4())
    take_identity(spec, 0, run_id)
    log = install_logging(_ConsoleRenderer(colors=sys.stderr.isatty()), _Terminal(), get_settings().log_level)
    stop = StopRequest(impatient=True)
    stop.listen(stop_signals(spec))
    sender = _ConsoleSender(stop)
    beats = Beats(_NullPage(spec.processes), spec.heartbeat_timeout)
    runtime = ProcessRuntime(beats, stop)
    try:
        context = JobContext(
            spec.name,
            0,
            run_id,
            beats=beats,
            stop=stop,
            runtime=runtime,
            sender=sender,
            log=structlog.get_logger(spec.name),
        )
        code = end_interpreter(run_target(JobRun(spec, spec.name, context, stop, runtime, sender, log)))
        return code if code >= 0 else 128 - code  # as a shell shows the end by a signal
    finally:
        stop.close()


class _NullPage:
    """A page that nobody reads."""

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def beat(self) -> None: ...

    def note_silence(self, begun: float, ended: float) -> None: ...

    def forget_silence(self) -> None: ...

    def allow(self, seconds: float | None) -> None: ...

    def count_opened(self) -> None: ...

    def count_closed(self) -> None: ...

    def write_note(self, text: str) -> None: ...


class _ConsoleSender:
    """Does in the terminal what the daemon does at a child's messages: prints a refusal, stops a job to be recycled."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def send(self, message: Message) -> None:
        if isinstance(message, Refused):
            sys.stderr.write(f"{message.reason}\n")
        elif isinstance(message, RecycleAsked):
            self._stop.ask()


class _ConsoleRenderer:
    """Renders events as structlog does for a terminal."""

    def __init__(self, colors: bool) -> None:
        self._console = structlog.dev.ConsoleRenderer(colors=colors)

    def render(self, event: MutableMapping[str, Any]) -> bytes:
        """Return the text without a last newline; a traceback makes several lines of it."""
        return SECRETS.mask(str(self._console(None, "", event))).encode("utf-8", "backslashreplace")


class _Terminal:
    """Writes rendered lines to standard error."""

    def write_line(self, line: bytes) -> None:
        sys.stderr.write(f"{line.decode()}\n")
