"""Reads the log from the daemon, over the control socket: the exporter asks, so the daemon never waits for it."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from workerd.wire.asking import connect, send

DAEMON_PATIENCE_S = 2.0
MOST_ANSWERS = 20
"""How many answers are read in a turn, so that the exporter's other work is done, too."""
OWN = b"="


class Reader:
    """Yields each line once; ``number`` is that of the last one, ``has_more`` whether others wait already."""

    def __init__(self, state_dir: Path, name: str) -> None:
        self._state_dir = state_dir
        self._name = name
        self._connection: socket.socket | None = None
        self._file: BufferedReader | None = None
        self._missed = 0
        self.number = 0
        self.has_more = False

    def read(self, sent: int) -> Iterator[tuple[int, bool, bytes]]:
        """Yield what is new: number, whether the daemon wrote it, and the line. ``sent`` is up to where all is sent."""
        self.has_more = False
        try:
            for _ in range(MOST_ANSWERS):
                lines = self._ask(sent)
                yield from lines
                if not lines:
                    return
            self.has_more = True
        except (OSError, ValueError):  # the daemon is busy or ends: the next turn asks again
            self.close()

    def take_missed(self) -> int:
        """Return how many lines the daemon had dropped before they could be read, since the last call."""
        missed, self._missed = self._missed, 0
        return missed

    def close(self) -> None:
        """Hang up."""
        for opened in (self._file, self._connection):  # the socket stays open for as long as its file is
            if opened is not None:
                with suppress(OSError):
                    opened.close()
        self._file = self._connection = None

    def _ask(self, sent: int) -> list[tuple[int, bool, bytes]]:
        if self._connection is None or self._file is None:
            self._connection = connect(self._state_dir, self._name, DAEMON_PATIENCE_S)
            self._file = self._connection.makefile("rb")
        send(self._connection, {"verb": "feed", "after": self.number, "sent": sent})
        answer = json.loads(self._line(self._file))
        first, count = int(answer["first"]), int(answer["lines"])
        lines = [self._line(self._file) for _ in range(count)]
        if self.number:  # what an exporter before this one has sent is no loss
            self._missed += first - self.number - 1
        self.number = max(self.number, first + count - 1)
        return [(first + at, line[:1] == OWN, line[1:]) for at, line in enumerate(lines)]

    @staticmethod
    def _line(file: BufferedReader) -> bytes:
        line = file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the daemon hung up")
        return line[:-1]
