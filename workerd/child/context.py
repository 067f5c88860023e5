"""What a job is given first: the wish to stop, its turns, its signs of life, and who it is."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from workerd.wire.messages import BecameReady, Message, RecycleAsked

from .beats import Beats
from .connections import arefresh, refresh
from .stopping import StopRequest
from .turns import Turns, as_seconds

Item = TypeVar("Item")


class Sender(Protocol):
    """Where a child's messages to the daemon go."""

    def send(self, message: Message) -> None:
        """Send one message."""


class JobContext:
    """A job's side of workerd; one a child, made before its function is called."""

    def __init__(
        self, job_name: str, index: int, run_id: str, *, beats: Beats, stop: StopRequest, sender: Sender, log: Any
    ) -> None:
        self.job_name = job_name
        self.index = index
        self.run_id = run_id
        self.log = log
        self._beats = beats
        self._stop = stop
        self._sender = sender
        self._said: set[str] = set()

    def __repr__(self) -> str:
        return f"<JobContext {self.job_name}:{self.index} run {self.run_id}>"

    @property
    def processes(self) -> int:
        """How many processes of this job are wanted now; follows the row while the job runs."""
        return self._beats.page.processes

    @property
    def stopping(self) -> bool:
        """Whether the job has been asked to stop."""
        return self._stop.asked

    def beat(self, note: str = "", within: float | timedelta | None = None) -> None:
        """Say "getting on": ``note`` says with what, ``within`` how long the next beat may take this once."""
        beats = self._beats
        if note:
            beats.write_note(note)
        beats.beat()
        if within is not None or beats.within is not None:
            beats.ask_within(None if within is None else as_seconds(within))

    def wait(self, seconds: float | timedelta | None = None) -> bool:
        """Sleep until asked to stop (True, at once) or for ``seconds`` (False); never counts as hanging."""
        left = None if seconds is None else as_seconds(seconds)
        if left != 0:
            with self._beats.asleep(left):
                self._stop.wait(left)
        self.beat()
        return self._stop.asked

    def every(self, seconds: float | timedelta) -> Iterator[int]:
        """Yield 0, 1, 2 … each ``seconds`` until asked to stop, with fresh database connections each turn.

        Turns start that far apart; a late one starts at once, and none is made up.
        """
        turns = Turns(as_seconds(seconds))
        turn = 0
        while not self.wait(turns.left()):
            turns.start_next()
            refresh()
            yield turn
            refresh()
            turn += 1

    def each(self, iterable: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, a beat with each, and stop between two when asked to."""
        for item in iterable:
            if self._stop.asked:
                return
            self.beat()
            yield item

    def ready(self) -> None:
        """Say that the job does its work now; for rows with ``signals_ready``."""
        self._say_once(BecameReady())

    def recycle(self) -> None:
        """Ask for a successor: the daemon stops this process gracefully and starts a fresh one."""
        self._say_once(RecycleAsked())

    async def await_stop(self, seconds: float | timedelta | None = None) -> bool:
        """As ``wait``, in a coroutine; it beats from the event loop, so a loop that blocks still counts as hanging."""
        left = None if seconds is None else as_seconds(seconds)
        await self._beats.beat_until(self._stop.event(), left)
        self.beat()
        return self._stop.asked

    async def aevery(self, seconds: float | timedelta) -> AsyncIterator[int]:
        """As ``every``, in a coroutine."""
        turns = Turns(as_seconds(seconds))
        turn = 0
        while not await self.await_stop(turns.left()):
            turns.start_next()
            await arefresh()
            yield turn
            await arefresh()
            turn += 1

    async def aeach(self, iterable: AsyncIterable[Item] | Iterable[Item]) -> AsyncIterator[Item]:
        """As ``each``, in a coroutine, over items of either kind."""
        async for item in _aiterate(iterable):
            if self._stop.asked:
                return
            self.beat()
            yield item

    def _say_once(self, message: Message) -> None:
        kind = type(message).__name__
        if kind not in self._said:
            self._said.add(kind)
            self._sender.send(message)


async def _aiterate(iterable: AsyncIterable[Item] | Iterable[Item]) -> AsyncIterator[Item]:
    if isinstance(iterable, AsyncIterable):
        async for item in iterable:
            yield item
    else:
        for item in iterable:
            yield item
            await asyncio.sleep(0)  # the loop's other tasks, and the signal, have their turn
