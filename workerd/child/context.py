"""The context that a job gets as its first argument: turns, waits, beats, the request to stop, and who the job is."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from workerd.wire.messages import BecameReady, Message, RecycleAsked
from workerd.wire.trace_context import traceparent

from .beats import Beats
from .runtime import Runtime
from .seat import NoSeat, Seat
from .secrets import SECRETS
from .stopping import StopRequest
from .turns import Turns, as_seconds

Item = TypeVar("Item")


class Sender(Protocol):
    """Takes a child's messages to the daemon."""

    def send(self, message: Message) -> None: ...


class JobContext:
    """A job's side of workerd. Each process has one, made before the job's function is called.

    ``job_name`` is the row's name, ``index`` the number of this process among the job's processes (from 0), ``run_id``
    the UUID of this run. ``due`` is the time of the row's schedule that it runs for (aware, in UTC), None without a
    schedule; a run that is made up for or tried again has the time that it stands for. ``token`` is the number of this
    process's hold on its seat of the fleet, larger than that of any before; None for a job of each node. ``log`` is a
    structlog logger whose lines carry job, slot, run and generation.

    Beats, waits and turns raise SeatLostError where the seat is over, as another node may have it then.

    A duration is a number of seconds or a ``timedelta``; a negative one, or NaN, raises ValueError.
    """

    def __init__(
        self,
        job_name: str,
        index: int,
        run_id: str,
        *,
        due: datetime | None = None,
        beats: Beats,
        stop: StopRequest,
        runtime: Runtime,
        sender: Sender,
        log: Any,
        seat: Seat | None = None,
    ) -> None:
        self.job_name = job_name
        self.index = index
        self.run_id = run_id
        self.due = due
        self.log = log
        self._beats = beats
        self._stop = stop
        self._runtime = runtime
        self._sender = sender
        self._sent: set[str] = set()
        self._seat = seat or NoSeat()
        self.token = self._seat.token
        # Bound once: a job without a seat pays nothing for those that have one.
        self._beat: Callable[[], None] = beats.beat if seat is None else self._beat_in_seat

    def __repr__(self) -> str:
        return f"<JobContext {self.job_name}:{self.index} run {self.run_id}>"

    @property
    def processes(self) -> int:
        """How many processes of this job are wanted now; follows the row while the job runs."""
        return self._beats.page.processes

    @property
    def traceparent(self) -> str:
        """The run's span as W3C's Trace Context writes it: ``00-TRACE-SPAN-01``.

        A span whose parent is taken from it joins the run's, which ``WORKERD["OTLP_ENDPOINT"]`` has sent at its end.
        """
        return traceparent(self.run_id)

    @property
    def stopping(self) -> bool:
        """Whether the job has been asked to stop."""
        return self._stop.asked

    def beat(self, note: str = "", within: float | timedelta | None = None) -> None:
        """Tell the daemon that the job makes progress.

        ``note`` is what it is doing: a hang report shows the last one. ``within`` is how long the next beat may take,
        this once, in place of the row's heartbeat timeout.
        """
        beats = self._beats
        if note:
            beats.write_note(SECRETS.mask(note))
        self._beat()
        if within is not None or beats.within is not None:
            beats.allow_within(None if within is None else as_seconds(within))

    def wait(self, seconds: float | timedelta | None = None) -> bool:
        """Sleep for ``seconds`` (None: without end); return whether the job has been asked to stop.

        A request to stop ends the sleep at once. A sleep never counts as a hang. Database connections that
        their server has ended meanwhile are dropped after it.
        """
        self._runtime.sleep(None if seconds is None else as_seconds(seconds))
        return self._beat_and_look()

    def every(self, seconds: float | timedelta) -> Iterator[int]:
        """Yield 0, 1, 2 … until asked to stop; the turns start ``seconds`` apart, the first one at once.

        A late turn starts at once, and missed turns are not made up. Database connections are refreshed before and
        after each turn.
        """
        runtime = self._runtime
        turns = Turns(as_seconds(seconds), runtime.now)
        turn = 0
        while True:
            runtime.pause(turns.left())
            if self._beat_and_look():
                return
            turns.start_next()
            runtime.refresh()
            yield turn
            runtime.refresh()
            turn += 1

    def each(self, iterable: Iterable[Item]) -> Iterator[Item]:
        """Yield the items and beat before each; end early, between two items, when asked to stop."""
        for item in iterable:
            if self._stop.asked:
                return
            self.beat()
            yield item

    def fenced(self) -> AbstractContextManager[None]:
        """Return a transaction on ``WORKERD["DATABASE"]`` that is committed only while this process has its seat.

        It is rolled back, and SeatLostError raised, where another process has claimed the seat meanwhile. It cannot
        stand inside another transaction. For a job without seats it is ``transaction.atomic()``.
        """
        return self._seat.fenced()

    def ready(self) -> None:
        """Tell the daemon that the job works now: for rows with ``signals_ready``. Only the first call counts."""
        if self._send_once(BecameReady()):
            self._beats.page.forget_silence()  # until now start_timeout was the limit

    def recycle(self) -> None:
        """Ask the daemon to stop this process gracefully and start a fresh one. Only the first call counts."""
        self._send_once(RecycleAsked())

    async def await_stop(self, seconds: float | timedelta | None = None) -> bool:
        """``wait`` for coroutines. The beats come from the event loop: a loop that blocks still counts as a hang."""
        await self._runtime.asleep(None if seconds is None else as_seconds(seconds))
        return self._beat_and_look()

    async def aevery(self, seconds: float | timedelta) -> AsyncIterator[int]:
        """``every`` for coroutines."""
        runtime = self._runtime
        turns = Turns(as_seconds(seconds), runtime.now)
        turn = 0
        while True:
            await runtime.apause(turns.left())
            if self._beat_and_look():
                return
            turns.start_next()
            await runtime.arefresh()
            yield turn
            await runtime.arefresh()
            turn += 1

    async def aeach(self, iterable: AsyncIterable[Item] | Iterable[Item]) -> AsyncIterator[Item]:
        """``each`` for coroutines; ``iterable`` may be synchronous or asynchronous."""
        async for item in _iterate(iterable):
            if self._stop.asked:
                return
            self.beat()
            yield item

    def _beat_in_seat(self) -> None:
        self._beats.beat()
        self._seat.check()

    def _beat_and_look(self) -> bool:
        self.beat()
        return self._stop.asked

    def _send_once(self, message: Message) -> bool:
        """Return whether this was the first message of its kind."""
        kind = type(message).__name__
        if kind in self._sent:
            return False
        self._sent.add(kind)
        self._sender.send(message)
        return True


async def _iterate(iterable: AsyncIterable[Item] | Iterable[Item]) -> AsyncIterator[Item]:
    if isinstance(iterable, AsyncIterable):
        async for item in iterable:
            yield item
    else:
        for item in iterable:
            yield item
            await asyncio.sleep(0)  # lets the loop's other tasks run, and the callback that sees the request to stop
