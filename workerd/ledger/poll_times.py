"""When the job rows are read: at an interval, and soon after a push, but never for most of the time."""

SHARE = 4
"""After a push the rows are read again no sooner than after this many times what the last reading took."""


class PollTimes:
    """Each reading is a query for all rows: with thousands, a stream of edits would leave time for nothing else.

    Times are monotonic seconds.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._rest_until = 0.0
        self.due = 0.0
        """When the rows are to be read next."""

    def push(self, now: float) -> None:
        """A row was saved: read soon, once for all that were saved by then."""
        self.due = min(self.due, max(now, self._rest_until))

    def read(self, began: float, ended: float) -> None:
        """The rows were read."""
        self.due = began + self._interval_s
        self._rest_until = began + SHARE * (ended - began)
