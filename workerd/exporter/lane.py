"""A lane to the collector, one for logs and one for spans: keeps lines up to a bound, and a thread sends them."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from workerd.wire.backoff import Backoff

MOST_BYTES = 16 * 1024 * 1024
"""The most that a lane keeps while the collector takes nothing; the oldest lines go first."""
LINE_COST = 200
"""The bytes that a line takes in memory beside its own."""
BATCH_LINES = 500
BATCH_BYTES = 1024 * 1024
RETRY_INITIAL_S, RETRY_MAX_S = 1.0, 30.0


class Sent(Enum):
    """The end of an attempt to send a batch."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The collector will never take it."""
    FAILED = "failed"
    """The collector may take it later."""


class Line(NamedTuple):
    """A line of the log that is to be sent."""

    number: int
    text: bytes


Send = Callable[[Sequence[bytes]], tuple[Sent, str]]
"""Sends lines; returns what came of it, and why they were not taken."""


class Lane:
    """Sends the lines that ``wants`` chooses, in their order; ``what`` is what they become: logs, spans."""

    def __init__(self, what: str, wants: Callable[[bool, bytes], bool], send: Send) -> None:
        self.what = what
        self._wants = wants
        self._send = send
        self._backoff = Backoff(RETRY_INITIAL_S, RETRY_MAX_S)
        self._changed = threading.Condition()
        self._lines: deque[Line] = deque()
        self._bytes = self._seen = 0
        self._batch: list[Line] = []
        """The lines that are being sent; they are not dropped for want of room."""
        self._ending = False
        self._dropped: Counter[str] = Counter()
        self.failing_since: float | None = None
        """The monotonic time since which the collector takes nothing; None while it does."""
        self.reason = ""
        """Why it does not."""
        self._thread = threading.Thread(target=self._run, name=f"sends {what}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it sends, or tries to."""
        return self._thread.is_alive()

    # for the thread that reads the log

    def put(self, number: int, own: bool, text: bytes) -> None:
        """Keep a line, where it is one for this lane; drop the oldest ones that no longer fit."""
        wanted = self._wants(own, text)
        with self._changed:
            self._seen = number
            if not wanted:
                return
            self._lines.append(Line(number, text))
            self._bytes += len(text) + LINE_COST
            while self._bytes > MOST_BYTES:
                self._take()
                self._dropped["there is no more room for what waits"] += 1
            self._changed.notify()

    @property
    def sent(self) -> int:
        """The number of the line up to which nothing is left to be sent."""
        with self._changed:
            first = self._batch or self._lines
            return first[0].number - 1 if first else self._seen

    @property
    def left(self) -> int:
        """How many lines are not sent."""
        with self._changed:
            return len(self._batch) + len(self._lines)

    def take_dropped(self) -> Counter[str]:
        """Return how many lines were dropped since the last call, by the reason."""
        with self._changed:
            dropped, self._dropped = self._dropped, Counter()
            return dropped

    def end(self) -> None:
        """Have it end when all is sent, or the collector takes nothing."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def wait_for_end(self, seconds: float) -> None:
        """Wait for that; not where the collector is known to take nothing."""
        self._thread.join(0.0 if self.failing_since is not None else seconds)

    # for its own thread

    def _run(self) -> None:
        while self._choose_batch():
            while not self._deliver():
                with self._changed:
                    if self._changed.wait_for(lambda: self._ending, self._backoff.next()):
                        return

    def _choose_batch(self) -> bool:
        """Wait for lines and make them the batch; return False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._ending)
            left = BATCH_BYTES
            while self._lines and len(self._batch) < BATCH_LINES and (left > 0 or not self._batch):
                line = self._take()
                left -= len(line.text)
                self._batch.append(line)
            return bool(self._batch)

    def _deliver(self) -> bool:
        """Send the batch; return whether it is done with."""
        sent, reason = self._send([line.text for line in self._batch])
        with self._changed:
            if sent is Sent.FAILED:
                self.failing_since = self.failing_since or time.monotonic()
                self.reason = reason
                return False
            if sent is Sent.REFUSED:
                self._dropped[reason] += len(self._batch)
            self._batch.clear()
            self.failing_since = None
            self._backoff.reset()
            return True

    def _take(self) -> Line:
        line = self._lines.popleft()
        self._bytes -= len(line.text) + LINE_COST
        return line
