"""A thread that does one thing after another, so that what hangs there holds up nothing else."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from django.db import connections

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Done(NamedTuple, Generic[_Item, _Result]):
    """A thing that was done: its result, or the error that ended it."""

    item: _Item
    result: _Result | None
    error: BaseException | None


class Runner(Generic[_Item, _Result]):
    """Does ``work`` with one item at a time; ``wake`` is called in the thread each time that one is done."""

    def __init__(self, name: str, work: Callable[[_Item], _Result], wake: Callable[[], None]) -> None:
        self.name = name
        self.said_stuck = False
        self._work = work
        self._wake = wake
        self._given: SimpleQueue[_Item] = SimpleQueue()
        self._done: SimpleQueue[Done[_Item, _Result]] = SimpleQueue()
        self._since: float | None = None

    def start(self) -> None:
        # A daemon thread: one that hangs must not keep its process from ending.
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    @property
    def busy_for(self) -> float | None:
        """Seconds since the item was given that is not done yet; None while there is none."""
        return None if self._since is None else time.monotonic() - self._since

    def give(self, item: _Item) -> None:
        """Have it do the next one; the one before must have been collected."""
        assert self._since is None
        self._since = time.monotonic()
        self.said_stuck = False
        self._given.put(item)

    def collect(self) -> Done[_Item, _Result] | None:
        """Return what was done since the last call, if anything was."""
        if self._done.empty():
            return None
        self._since = None
        return self._done.get()

    def _run(self) -> None:
        while True:
            item = self._given.get()
            try:
                done = Done[_Item, _Result](item, self._work(item), None)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code runs here, and may raise anything
                done = Done(item, None, error)
            try:
                connections.close_all()  # whatever ran may have opened one, and none is to stay without need
            except Exception as error:  # noqa: BLE001 - so may a driver
                done = done._replace(error=done.error or error) if done.result is None else done
            self._done.put(done)
            self._wake()
