"""How many may load at once: from birth to LOADED at most as many as there are processors."""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .slot import LiveSlot


class Pacing:
    """A line of slots, and the places in front of it; ``give_turn`` is called for whoever has one."""

    def __init__(self, give_turn: "Callable[[LiveSlot], None]", places: int | None = None) -> None:
        self._give_turn = give_turn
        self._places = places or len(os.sched_getaffinity(0))
        self._line: OrderedDict[LiveSlot, None] = OrderedDict()
        self._loading: set[LiveSlot] = set()
        self._moving = False

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nobody loads."""
        return not self._line and not self._loading

    def stand_in_line(self, slot: "LiveSlot") -> None:
        """Ask for a turn; asking twice is asking once."""
        self._line[slot] = None
        self.move_up()

    def leave(self, slot: "LiveSlot") -> None:
        """Give up the turn or the place, whichever it had: it is loaded, gone, or not wanted any more."""
        self._line.pop(slot, None)
        self._loading.discard(slot)
        self.move_up()

    def move_up(self) -> None:
        """Give turns while there are places; whoever leaves at its turn only makes room, so this never recurses."""
        if self._moving:
            return
        self._moving = True
        try:
            while self._line and len(self._loading) < self._places:
                slot, _ = self._line.popitem(last=False)
                self._loading.add(slot)
                self._give_turn(slot)
        finally:
            self._moving = False
