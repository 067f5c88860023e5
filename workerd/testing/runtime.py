"""The runtime of a job in a test: its waits end at once, and its connections and its event loop are the test's."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from asgiref.sync import async_to_sync

from workerd.child.stopping import StopRequest

from .clock import Clock


class TurnRuntime:
    """Moves the clock in place of sleeping, and asks the job to stop when its turns are over.

    A turn is one of ``every``; in a job without it, what comes after a wait. A wait without end is over at once, with
    the request to stop.
    """

    def __init__(self, stop: StopRequest, clock: Clock, turns: int) -> None:
        self._stop = stop
        self._clock = clock
        self._limit = turns
        self._has_loop = False
        self._lock = threading.Lock()
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self.waits: list[float | None] = []
        self.turns = 0

    def now(self) -> float:
        return self._clock.now

    def sleep(self, seconds: float | None) -> None:
        self._pass(seconds, begins_turn=not self._has_loop)

    def pause(self, seconds: float) -> None:
        with self._lock:
            if not self._has_loop:
                self._has_loop, self.turns = True, 0  # the waits until now were no turns
        self._pass(seconds, begins_turn=True)

    async def asleep(self, seconds: float | None) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)  # lets the loop's other tasks run

    async def apause(self, seconds: float) -> None:
        self.pause(seconds)
        await asyncio.sleep(0)

    def refresh(self) -> None:
        """Leave the connection alone: it is the test's, with its transaction and its count of queries."""

    async def arefresh(self) -> None:
        """Do as little as ``refresh``."""

    def heal(self) -> None:
        """Do nothing, for the same reason."""

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        # asyncio.run() has the ORM use a connection of another thread, which sees nothing of the test's transaction,
        # and which nobody closes: the test database could not be dropped.
        async_to_sync(self._run)(coroutine)

    def cancel(self) -> bool:
        """Cancel an async job; return whether there is one. From any thread or handler."""
        if self._task is None:
            return False
        loop, task = self._task
        loop.call_soon_threadsafe(task.cancel)
        return True

    async def _run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = asyncio.get_running_loop(), task
        try:
            await coroutine
        finally:
            self._task = None
            self._stop.leave_loop()  # it may be the loop of an async test

    def _pass(self, seconds: float | None, *, begins_turn: bool) -> None:
        with self._lock:
            self.waits.append(seconds)
            if self._stop.asked:
                return
            if seconds is None or (begins_turn and self.turns >= self._limit):
                self._stop.ask()
                return
            self.turns += begins_turn
        self._clock.advance(seconds)
