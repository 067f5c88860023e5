"""A child's signs of life on its heartbeat page: its beats, its notes, and how long its next beat may take."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

GRACE_S = 60.0
"""Added to the time of a sleep, so that a thread that a late machine wakes too late does not look hung."""

FOREVER_S = 1e9
LOOP_PAUSE_S = 10.0
"""The longest pause between two beats of an idle event loop."""


class Page(Protocol):
    """The heartbeat page of a child: ``wire.page.HeartbeatPage``, or an object with the same methods."""

    def beat(self) -> None: ...

    def note_silence(self, begun: float, ended: float) -> None:
        """Keep the silence between two monotonic moments, if it is the longest."""

    def forget_silence(self) -> None:
        """Count no silence from before now."""

    def allow(self, seconds: float | None) -> None:
        """Let the next beat take ``seconds`` in place of the row's time-out; None restores the time-out."""

    def write_note(self, text: str) -> None:
        """Store ``text`` as what the job is doing."""

    def count_opened(self) -> None:
        """Count a database connection as opened."""

    def count_closed(self) -> None:
        """Count a database connection as closed."""

    @property
    def processes(self) -> int:
        """How many processes of the job are wanted now."""


class Beats:
    """The only writer of a page; several threads and tasks may wait at the same time."""

    def __init__(self, page: Page, heartbeat_timeout: float | None) -> None:
        self.page = page
        self.timeout_s = heartbeat_timeout or 0.0
        # A job may beat in its innermost loop: bound once, a beat costs no more than the page's own call.
        self.beat: Callable[[], None] = page.beat
        self.write_note: Callable[[str], None] = page.write_note
        self.within: float | None = None
        """The seconds that the job's last beat allowed for the next one; None is the row's time-out."""
        self._waits: dict[object, float] = {}

    def allow_within(self, seconds: float | None) -> None:
        """Allow ``seconds`` until the job's next beat; None restores the row's time-out."""
        self.within = seconds
        self._write_allowance()

    @contextmanager
    def allowance(self, seconds: float, grace_s: float) -> Iterator[None]:
        """Allow a wait of ``seconds`` and ``grace_s`` more, however short the time-out is; beat at both ends."""
        self.beat()  # before the allowance begins: until here the job was silent without one
        key, end = object(), time.monotonic() + seconds
        self._waits[key] = end + grace_s
        self._write_allowance()
        try:
            yield
        finally:
            del self._waits[key]
            self.beat()  # before the allowance ends: without it, the beat from before the wait looks like a hang
            self.page.note_silence(end, time.monotonic())  # a late end of the wait counts as silence
            self._write_allowance()

    @contextmanager
    def asleep(self, seconds: float | None) -> Iterator[None]:
        """Allow a thread to sleep for ``seconds``; None is without end."""
        with self.allowance(math.inf if seconds is None else seconds, max(GRACE_S, self.timeout_s)):
            yield

    async def beat_until(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Beat from the event loop until ``event`` is set (True) or ``seconds`` are over (False)."""
        # One allowance for the whole wait would hide another task that blocks the loop. Each beat allows a little,
        # and only a loop that still turns sends the next one.
        pause = min(max(self.timeout_s / 3, 0.1), LOOP_PAUSE_S) if self.timeout_s else LOOP_PAUSE_S
        grace = max(2 * pause, self.timeout_s - pause)
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not event.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            with self.allowance(min(pause, left), grace):
                await _wait_for(event, min(pause, left))
        return event.is_set()

    def _write_allowance(self) -> None:
        # list(): another thread may start or end a wait while this one computes
        allowed = [end - time.monotonic() for end in list(self._waits.values())]
        if self.within is not None:
            allowed.append(self.within)
        self.page.allow(min(max(allowed), FOREVER_S) if allowed else None)


_beat_of_queries: Callable[[], None] | None = None
_watches_queries = False


def beat_with_queries(beat: Callable[[], None]) -> None:
    """Beat before and after every query, on this thread's open connections and on all that are opened later."""
    global _beat_of_queries
    watch_queries()
    _beat_of_queries = beat


def watch_queries() -> None:
    """Have queries give the beats of ``beat_with_queries``; the forkserver calls this, so that no child need do it."""
    from django.db import connections
    from django.db.backends.signals import connection_created

    global _watches_queries
    if not _watches_queries:
        _watches_queries = True
        for connection in connections.all(initialized_only=True):
            _watch(connection)
        connection_created.connect(_watch, weak=False, dispatch_uid="workerd.beat_with_queries")


def _watch(connection: Any, **_kwargs: Any) -> None:
    if _beat_around not in connection.execute_wrappers:
        # First in the list: execute_wrapper() of the project appends its own and pops the last one.
        connection.execute_wrappers.insert(0, _beat_around)


def _beat_around(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any) -> Any:
    if (beat := _beat_of_queries) is None:
        return execute(sql, params, many, context)
    beat()
    result = execute(sql, params, many, context)
    beat()
    return result


def of_this_thread(beat: Callable[[], None]) -> Callable[[], None]:
    """Return a beat that only the calling thread gives: what another one does is no sign of this one's life."""
    thread = threading.get_ident()

    def beat_of_thread() -> None:
        if threading.get_ident() == thread:
            beat()

    return beat_of_thread


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass  # the caller looks at the event and at the clock itself
