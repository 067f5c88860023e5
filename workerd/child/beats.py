"""A child's signs of life on its page: beats, notes, and how long the daemon is asked to be patient."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

GRACE_S = 60.0
"""Patience beyond the end of a wait, for a machine that is late; a child asleep in ``wait`` cannot hang."""


FOREVER_S = 1e9
LOOP_PAUSE_S = 10.0
"""The longest pause between two beats of an event loop at rest."""


class Page(Protocol):
    """What a child writes to and reads from: ``wire.page.HeartbeatPage``, or the like in memory."""

    def beat(self) -> None:
        """Say "alive and getting on"."""

    def allow(self, seconds: float | None) -> None:
        """Ask for ``seconds`` between beats; None ends that."""

    def write_note(self, text: str) -> None:
        """Store what the child is doing."""

    def count_opened(self) -> None:
        """Count a database connection that was opened."""

    def count_closed(self) -> None:
        """Count one that was closed."""

    @property
    def processes(self) -> int:
        """How many processes of the job are wanted now."""


class Beats:
    """The one writer of a page; several threads and tasks may wait at once."""

    def __init__(self, page: Page, heartbeat_timeout: float | None) -> None:
        self.page = page
        self.timeout_s = heartbeat_timeout or 0.0
        self.beat: Callable[[], None] = page.beat
        self.write_note: Callable[[str], None] = page.write_note
        self.within: float | None = None
        """What the job's last beat asked for; its next one ends that."""
        self._waits: dict[object, float] = {}

    def ask_within(self, seconds: float | None) -> None:
        """Ask for ``seconds`` until the job's next beat; None is the row's time-out again."""
        self.within = seconds
        self._ask()

    @contextmanager
    def patience(self, seconds: float, grace_s: float) -> Iterator[None]:
        """Ask for as long as a wait takes, and beat at both ends: it is legitimate, however short the time-out."""
        key = object()
        self._waits[key] = time.monotonic() + seconds + grace_s
        self._ask()
        self.beat()
        try:
            yield
        finally:
            del self._waits[key]
            self.beat()  # before the patience ends: an old beat alone would look like a hang
            self._ask()

    @contextmanager
    def asleep(self, seconds: float | None) -> Iterator[None]:
        """Ask for a wait of a thread, which cannot hang."""
        with self.patience(math.inf if seconds is None else seconds, max(GRACE_S, self.timeout_s)):
            yield

    async def beat_until(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Beat from the event loop until ``event`` is set (True) or ``seconds`` are over (False).

        One long patience would hide a loop that blocks meanwhile; so each beat asks for a little, and comes again.
        """
        pause = min(max(self.timeout_s / 3, 0.1), LOOP_PAUSE_S) if self.timeout_s else LOOP_PAUSE_S
        grace = max(2 * pause, self.timeout_s - pause)
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not event.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            with self.patience(min(pause, left), grace):
                await _wait_for(event, min(pause, left))
        return event.is_set()

    def _ask(self) -> None:
        asked = [end - time.monotonic() for end in list(self._waits.values())]
        if self.within is not None:
            asked.append(self.within)
        self.page.allow(min(max(asked), FOREVER_S) if asked else None)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass  # the caller looks at the event and the clock itself
