"""The times of asking about the job rows: at an interval, and soon after a push, but never for most of the time."""

from .fleet_size import FleetSize

SHARE = 4
"""After a push the rows are asked about again no sooner than after this many times what the last reading took."""
NODES_A_SECOND = 100
"""The nodes that may ask in a second about ``ROWS`` rows; of more nodes, or of more rows, each asks less often."""
ROWS = 1000
PUSHED_A_SECOND = 250
"""A push wakes every node at once: so many of them a second ask what it was."""


class PollTimes:
    """Each asking is at least one query: with thousands of rows, a stream of edits would leave time for nothing else.

    Times are monotonic seconds.
    """

    def __init__(self, interval_s: float, fleet: FleetSize | None = None) -> None:
        self._interval_s = interval_s
        self._fleet = fleet or FleetSize()
        self._rest_until = 0.0
        self._turn_s = 0.0
        self.due = 0.0
        """When the rows are to be asked about next."""

    def push(self, now: float) -> None:
        """Ask soon, as a row was saved: once for all that are saved by then."""
        self.due = min(self.due, max(now + self._turn_s, self._rest_until))

    def read(self, began: float, ended: float, rows: int = 0) -> None:
        """Set when to ask next, after a reading of so many rows that began and ended at these times."""
        nodes = self._fleet.nodes
        least = nodes / NODES_A_SECOND * max(1.0, rows / ROWS) if nodes > 1 else 0.0
        self.due = began + self._fleet.varied(max(self._interval_s, least))
        self._rest_until = began + SHARE * (ended - began)
        self._turn_s = self._fleet.spread(PUSHED_A_SECOND)
