"""An alert as the daemon means it, and what of a slot's life is one."""

from collections import deque
from typing import Any, NamedTuple

from workerd.wire.words import Outcome

BY_ITSELF = frozenset(Outcome) - {Outcome.STOPPED, Outcome.RECYCLED, Outcome.MISSED}
"""The ends that nobody has asked for."""


class Alert(NamedTuple):
    """Something that holds, or is over. ``about`` has the fields of AlertChanged that tell which job it concerns."""

    kind: str
    subject: str
    """The matter: a slot, a node, or nothing where there is but one of the kind on this node."""
    text: str
    about: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """``parked mail-outbox:0``; alerts of one key, from one node, are about the same."""
        return f"{self.kind} {self.subject}".rstrip()


class Ends:
    """The last ends of a slot's runs, to see whether it runs in a circle: so many ends within so many seconds."""

    def __init__(self, count: int, within_s: float) -> None:
        self._within_s = within_s
        self._times: deque[float] = deque(maxlen=count)

    def note(self, now: float) -> bool:
        """Note an end at ``now`` (monotonic seconds); return whether that makes a circle."""
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] <= self._within_s

    def calm_in(self, now: float) -> float:
        """Return the seconds until the circle is over, if no end comes until then."""
        return self._times[-1] + self._within_s - now if self._times else 0.0
