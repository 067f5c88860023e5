"""The number of nodes that ask the same database; this one keeps out of step with the others.

What a single node does at an exact time, many do at times spread so that the server is asked evenly.
"""

import random
from collections.abc import Callable

MANY = 100
"""Of more nodes each does less often what costs the server much."""
LEAST_SHARE = 0.8
"""Of an interval that many nodes keep, each waits at least so much and at most the whole."""


class FleetSize:
    """The number of living nodes, as last counted: a node that has not counted yet takes itself for alone."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self.nodes = 1

    def varied(self, interval_s: float) -> float:
        """Return the interval, or a little less where others keep it as well, so that they drift apart."""
        return interval_s * (LEAST_SHARE + (1 - LEAST_SHARE) * self._chance()) if self.nodes > 1 else interval_s

    def stretched(self, interval_s: float) -> float:
        """Return the interval, longer in proportion where there are more than ``MANY`` nodes."""
        return interval_s * max(1.0, self.nodes / MANY)

    def within(self, interval_s: float) -> float:
        """Return a moment of the interval for what all nodes have just done at once, its end where one is alone.

        From then on each does it at its own time: what is done once a minute would stay in step for hours.
        """
        return interval_s * self._chance() if self.nodes > 1 else interval_s

    def spread(self, a_second: float) -> float:
        """Return how long to wait where all nodes want the same now, and ``a_second`` of them may have it."""
        return self._chance() * (self.nodes - 1) / a_second
