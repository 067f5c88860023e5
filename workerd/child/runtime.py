"""A runtime is what a job runs on: the clock of its turns, its sleeps, its connections and its event loop."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from .beats import Beats
from .connections import (
    aclose_connections,
    adrop_dead_connections,
    arefresh_connections,
    drop_dead_connections,
    heal_connections,
    refresh_connections,
)
from .stopping import StopRequest


class Runtime(Protocol):
    """The process that a job runs in, as its context and its call use it.

    A sleep ends at once when the job is asked to stop; seconds are from 0 up, None is without end.
    """

    def now(self) -> float:
        """Return the seconds of a clock that never goes back."""

    def sleep(self, seconds: float | None) -> None:
        """Sleep because the job asks for it."""

    def pause(self, seconds: float) -> None:
        """Sleep until the next turn of ``every`` is due."""

    async def asleep(self, seconds: float | None) -> None:
        """``sleep`` for coroutines."""

    async def apause(self, seconds: float) -> None:
        """``pause`` for coroutines."""

    def refresh(self) -> None:
        """Renew database connections at an end of a turn, where they need it."""

    async def arefresh(self) -> None:
        """``refresh`` for coroutines."""

    def heal(self) -> None:
        """Have a connection that met an error tried before its next use: for code that has no turns to renew it."""

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run an async job to its end."""


class ProcessRuntime:
    """A process that is the job's own."""

    def __init__(self, beats: Beats, stop: StopRequest) -> None:
        self._beats = beats
        self._stop = stop

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float | None) -> None:
        if seconds != 0:
            with self._beats.asleep(seconds):
                self._stop.wait(seconds)
            if not self._stop.asked:
                drop_dead_connections()

    def pause(self, seconds: float) -> None:
        self.sleep(seconds)

    async def asleep(self, seconds: float | None) -> None:
        await self._beats.beat_until(self._stop.event(), seconds)
        if seconds != 0 and not self._stop.asked:
            await adrop_dead_connections()

    async def apause(self, seconds: float) -> None:
        await self.asleep(seconds)

    def refresh(self) -> None:
        refresh_connections()

    async def arefresh(self) -> None:
        await arefresh_connections()

    def heal(self) -> None:
        heal_connections()

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        asyncio.run(_run_and_close(coroutine))


async def _run_and_close(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        await coroutine
    finally:
        await aclose_connections()
