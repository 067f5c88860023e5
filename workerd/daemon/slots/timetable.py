"""The due moments of each slot: those of its row's schedule, later by the slot's spread."""

from collections.abc import Callable
from random import Random

from workerd.daemon.rules.dues import SpreadTimes, Times

from .slot import LiveSlot

MOST_PARSED = 5_000
"""Schedules that are kept, so that each is read once."""


class Timetable:
    """Reads schedules; ``node`` makes the spread of a node's slots its own."""

    def __init__(self, parse: Callable[[str, str], Times], node: str) -> None:
        self._parse = parse
        self._node = node
        self._parsed: dict[tuple[str, str], Times] = {}

    def of(self, slot: LiveSlot) -> Times:
        """Return the slot's due moments. Raises ValueError where its row has no schedule that can be read."""
        rule = slot.spec.schedule, slot.spec.time_zone
        schedule = self._parsed.get(rule)
        if schedule is None:
            if len(self._parsed) >= MOST_PARSED:
                self._parsed.clear()
            schedule = self._parsed[rule] = self._parse(*rule)
        return SpreadTimes(schedule, self._spread_of(slot)) if slot.spec.spread else schedule

    def forget(self) -> None:
        """Read every schedule anew: the rules of its time zone may be others."""
        self._parsed.clear()

    def _spread_of(self, slot: LiveSlot) -> float:
        """Return seconds that are the same in each life of the daemon, and of a seat on each node."""
        place = f"{slot.index}" if slot.spec.is_fleet else self._node
        return slot.spec.spread * Random(f"{place}\n{slot.spec.id}").random()
