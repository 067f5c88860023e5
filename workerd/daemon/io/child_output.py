"""Reads the children's output: a line that their logging rendered passes on, other text becomes ``child.output``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from workerd.daemon.rules.printed_level import printed_level
from workerd.wire.marked_lines import LINE_BYTES, Unpacker

from .child_stream import LAST_WORDS_S, ChildStream
from .last_lines import LastLines
from .line_splitter import last_state
from .log import EventLog
from .loop import Loop

KEPT_LINES = 50
KEPT_BYTES = 32_000
"""The most bytes of those lines; a run's row takes no more."""
CAPTURE_BYTES = 256 * 1024
"""More than the stacks of a hundred threads. What a child prints beyond it is ordinary output."""


class ChildOutput:
    """One child's stdout and stderr. In stdout, what follows ``mark``, a secret, comes from the child's logging."""

    def __init__(self, loop: Loop, log: EventLog, stdout: int, stderr: int) -> None:
        self._log = log
        self.stdout = ChildStream(loop, stdout, self._take)
        self.stderr = ChildStream(loop, stderr, partial(self._print, "stderr"))
        self._unpacker = Unpacker(partial(self._print, "stdout"))
        self._captured: list[bytes] | None = None
        self._capture_left = 0
        self._on_captured: Callable[[], None] = lambda: None
        self.mark = b""
        self.identity: Mapping[str, Any] = {}
        self.last_lines = LastLines(KEPT_LINES, KEPT_BYTES)

    @property
    def heard_at(self) -> float:
        """The monotonic time at which the child last wrote; 0 before it has."""
        return max(self.stdout.heard_at, self.stderr.heard_at)

    def capture(self, on_line: Callable[[], None]) -> None:
        """Keep the printed lines of stdout from now on, which are a stack dump; call ``on_line`` after each."""
        self._captured, self._capture_left = [], CAPTURE_BYTES
        self._on_captured = on_line

    def captured(self) -> list[bytes]:
        """End the capture and return its lines."""
        lines, self._captured = self._captured or [], None
        return lines

    def look(self) -> None:
        """Count as heard what the pipes hold now, though it is read later."""
        self.stdout.look()
        self.stderr.look()

    def finish(self, then: Callable[[], None], patience_s: float = LAST_WORDS_S) -> None:
        """Take what an ended child has left in the pipes, then call ``then``: at once, or some turns later for much.

        Unfinished lines are taken as they are: last words may have no newline. Without patience ``then`` is called at
        once, and of much only the end is taken.
        """
        self.stdout.finish(lambda: self._finish_stderr(then, patience_s), patience_s)

    def _finish_stderr(self, then: Callable[[], None], patience_s: float) -> None:
        self._unpacker.finish()
        self.stderr.finish(lambda: self._end(then), patience_s)

    def _end(self, then: Callable[[], None]) -> None:
        if dropped := self.stdout.dropped + self.stderr.dropped:
            self._log.emit("log.dropped", **self.identity, lines=dropped)
        then()

    def close(self) -> None:
        """Close the pipes."""
        self.stdout.close()
        self.stderr.close()

    def _take(self, line: bytes) -> None:
        """Take a line of stdout: a packet may follow text that has no newline, such as a progress bar."""
        text, mark, packet = line.partition(self.mark) if self.mark else (line, b"", b"")
        if text or not mark:
            self._take_text(text)
        if mark and (rendered := self._unpacker.take(packet)) is not None:
            self._relay(rendered)

    def _relay(self, rendered: bytes) -> None:
        """Pass on a line of the child's logging, unless it was torn on its way, as where somebody writes into it."""
        if len(rendered) > LINE_BYTES or not (rendered.startswith(b"{") and rendered.endswith(b"}")):
            self._print("stdout", rendered)
            return
        self.last_lines.append(rendered)
        self._log.relay(rendered)

    def _take_text(self, text: bytes) -> None:
        if self._captured is None or self._capture_left <= 0:
            self._print("stdout", text)
            return
        self._capture_left -= len(text) + 1
        self._captured.append(text)
        self._on_captured()

    def _print(self, stream: str, printed: bytes) -> None:
        line = last_state(printed)
        if line.strip():
            self.last_lines.append(line)
            text = line.decode("utf-8", "replace")
            self._log.emit("child.output", printed_level(line), **self.identity, stream=stream, line=text)
