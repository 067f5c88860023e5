"""The limit on the processes of all jobs together, and the slots that wait for a place."""

from workerd.wire.reasons import Reason

from .slot import LiveSlot


class Places:
    """A slot has its place from the request for a process until that has ended; who comes later waits in line."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[LiveSlot] = set()
        self._line: dict[LiveSlot, None] = {}
        self.reason = Reason(f"waiting for a place: {most} processes of jobs run, as many as MAX_PROCESSES allows")

    def take(self, slot: LiveSlot) -> bool:
        """Return whether the slot has a place now; else it stands in line."""
        if slot.builtin or slot in self._taken:
            return True
        if len(self._taken) >= self._most:
            self._line[slot] = None
            return False
        self._taken.add(slot)
        return True

    def leave(self, slot: LiveSlot) -> None:
        """Take a slot's place, or its place in line, from it."""
        self._taken.discard(slot)
        self._line.pop(slot, None)

    def next(self) -> LiveSlot | None:
        """Take out of the line, and return, who may have a place now; None where there is none, or nobody waits."""
        if not self._line or len(self._taken) >= self._most:
            return None
        slot = next(iter(self._line))
        del self._line[slot]
        return slot
