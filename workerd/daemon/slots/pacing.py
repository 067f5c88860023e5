"""Limits how many slots load at once, from birth to LOADED: as many as there are processors."""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Pacing(Generic[Waiter]):
    """A line of waiters, and the places in front of it."""

    def __init__(self, places: int | None = None) -> None:
        self._places = places or len(os.sched_getaffinity(0))
        self._line: OrderedDict[Waiter, Callable[[], None]] = OrderedDict()
        self._loading: set[Waiter] = set()
        self._moving = False

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nobody loads."""
        return not self._line and not self._loading

    def stand_in_line(self, waiter: Waiter, on_turn: Callable[[], None]) -> None:
        """Call ``on_turn`` when there is a place; a waiter that asks twice keeps its place in the line."""
        self._line[waiter] = on_turn
        self._move_up()

    def leave(self, waiter: Waiter) -> None:
        """Take a waiter out of the line, or free its place: it has loaded, has gone, or is not wanted any more."""
        self._line.pop(waiter, None)
        self._loading.discard(waiter)
        self._move_up()

    def _move_up(self) -> None:
        """Give turns while there are places."""
        if self._moving:  # a waiter left its place at its turn, which makes room for the loop below
            return
        self._moving = True
        try:
            while self._line and len(self._loading) < self._places:
                waiter, on_turn = self._line.popitem(last=False)
                self._loading.add(waiter)
                on_turn()
        finally:
            self._moving = False
