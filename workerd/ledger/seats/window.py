"""Since when a seat has been seen unchanged: for so long its holder has not been heard of."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from workerd.wire.lease import LOOK_GAP, may_take, renewal_interval

TICK_S = 0.001
"""A sum of floats may be less than its parts are."""
Place = tuple[int, int]
"""A seat: the id of its job, and its number."""


class Seen(NamedTuple):
    """A seat as a look shows it."""

    life: str | None
    """The holder of the seat; None while it is free."""
    token: int
    beat: int
    takeover_s: float
    """The holder's own takeover_after."""


class _Window(NamedTuple):
    seen: Seen
    since: float
    """When the look ended that first showed the seat so."""
    last: float
    """When the newest look began that showed it so."""


class Windows:
    """The seats, as successive looks have shown them. Times are boot-time seconds of this machine.

    A window goes on as long as each look shows the same holding and beat, at the same server, no more than three
    renewal intervals after the one before it. Anything else begins it anew: what happened meanwhile is not known, and
    a server that took over may lack the holder's last renewals. For the same reason a claim has to reach the server of
    the newest look: if the connection had to be made again since, look first.
    """

    def __init__(self) -> None:
        self._server: str | None = None
        self._windows: dict[Place, _Window] = {}

    def look(self, server: str, began: float, ended: float, seen: Mapping[Place, Seen]) -> None:
        """Take in a look that began and ended at these times. ``server`` names one life of one database server."""
        before = self._windows if server == self._server else {}
        self._server = server
        self._windows = {place: _gone_on(before.get(place), began, ended, now) for place, now in seen.items()}

    def may_take(self, place: Place, now: float) -> bool:
        """Return whether a claim that begins now may take the seat, by what the newest look showed of it."""
        window = self._windows.get(place)
        if window is None:
            return False
        seen = window.seen
        if seen.life is None:
            return True
        return not _is_gap(window, now) and may_take(window.since, now, seen.takeover_s)

    def ripe_at(self, now: float) -> float:
        """Return when the next seat may be taken that may not yet, should nobody be heard of until then."""
        ends = (one.since + one.seen.takeover_s + TICK_S for one in self._windows.values() if one.seen.life)
        return min((end for end in ends if end > now), default=math.inf)

    def seen(self, place: Place) -> Seen | None:
        """Return what the newest look showed: a claim compares its token and beat."""
        window = self._windows.get(place)
        return window and window.seen

    def forget(self) -> None:
        """Begin every window anew."""
        self._windows = {}


def _gone_on(window: _Window | None, began: float, ended: float, seen: Seen) -> _Window:
    is_same = window is not None and window.seen == seen and not _is_gap(window, ended)
    return _Window(seen, window.since if window and is_same else ended, began)


def _is_gap(window: _Window, now: float) -> bool:
    return now - window.last > LOOK_GAP * renewal_interval(window.seen.takeover_s)
