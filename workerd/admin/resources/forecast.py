"""The forecast says when memory that grows will meet its limit. Pure.

A trend counts where memory hardly ever fell, and it is followed at most twelve times as far as it was seen: what warms
up for ten minutes says nothing of the night.
"""

from collections.abc import Sequence
from statistics import median

LEAST_POINTS, MOST_POINTS = 6, 30
RISING = 0.6
"""Of all pairs of points, so many more have to rise than fall (Kendall's tau)."""
REACH = 12.0
"""A trend is followed so many times as far as it was seen."""
HORIZON_S = 86400.0

FALL = 0.7
"""Memory that is less than so much of what it was just before is another process's."""

Point = tuple[float, float]
"""A moment in seconds, and the memory then, in any unit."""


def since_last_fall(points: Sequence[Point]) -> Sequence[Point]:
    """Return the points of the last process, as far as its memory tells."""
    falls = (place for place in range(1, len(points)) if points[place][1] < FALL * points[place - 1][1])
    return points[max(falls, default=0) :]


def seconds_to_limit(points: Sequence[Point], limit: float | None) -> float | None:
    """Return after how many seconds from the last point the limit is met at this rate, if within a day; else None.

    The rate is the median of the slopes between all points, which a few odd ones do not change.
    """
    if limit is None or len(points) < LEAST_POINTS:
        return None
    some = _some(points)
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(some)
        for later in some[place + 1 :]
        if later[0] > earlier[0]
    ]
    rising = sum((slope > 0) - (slope < 0) for slope in slopes)
    if not slopes or rising < RISING * len(slopes) or (slope := median(slopes)) <= 0:
        return None
    left, seen = (limit - points[-1][1]) / slope, points[-1][0] - points[0][0]
    return left if 0 < left <= min(HORIZON_S, REACH * seen) else None


def _some(points: Sequence[Point]) -> list[Point]:
    """Return at most so many points, evenly chosen, the last one among them."""
    step = -(-len(points) // MOST_POINTS)
    return list(points[::-step])[::-1]
