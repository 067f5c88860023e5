"""The geometry of one curve: a path in a square of 1000 by 100 that the page stretches, and lines across it.

What was not measured is no part of the path: it breaks there, as it does between two processes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from workerd.wire.samples import COARSE_S, Sample

from .windows import HOUR_S, Window

WIDE, HIGH = 1000, 100
GAP_S = 35.0
"""The least time without a sample that is shown as a gap."""
GAPS = 3
"""A gap is also longer than so many of the usual steps."""
LIMIT_WITHIN = 8.0
"""A limit of more than so many times what was used would press the curve flat: it is said, and not drawn."""
ROOM = 1.08
_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)

Value = Callable[[Sample], float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """One curve in one window; ``limit_y`` and ``middle_y`` are of HIGH from the top, None where nothing is drawn."""

    window: Window
    path: str
    top: float
    limit_y: float | None
    values: tuple[float, ...]
    """The figures that were measured, the oldest first."""

    @property
    def is_empty(self) -> bool:
        return not self.values


def plot(samples: Sequence[Sample], value: Value, window: Window, limit: float | None = None) -> Plot:
    """Return the plot of one figure of the samples."""
    shown = window.cut(samples)
    values = tuple(found for one in shown if (found := value(one)) is not None)
    most = max(values, default=0.0)
    draws_limit = limit is not None and limit <= max(most, 1e-9) * LIMIT_WITHIN
    top = _round_up(max(most, limit * ROOM if draws_limit and limit is not None else 0.0) or 1.0)
    return Plot(
        window,
        path=" ".join(_strokes(shown, value, window, top)),
        top=top,
        limit_y=HIGH * (1 - limit / top) if draws_limit and limit is not None else None,
        values=values,
    )


def _strokes(samples: Sequence[Sample], value: Value, window: Window, top: float) -> Iterator[str]:
    gap, last = _longest_step(samples), None
    for one in samples:
        found = value(one)
        if found is None:
            last = None
            continue
        begins = last is None or one.is_first or one.time - last > gap
        x, y = window.percent(one.time) * WIDE / 100, HIGH * (1 - found / top)
        yield f"M{x:.1f} {y:.1f}h0" if begins else f"L{x:.1f} {y:.1f}"  # a stroke of no length is a dot
        last = one.time


def _longest_step(samples: Sequence[Sample]) -> float:
    """Return the time between two samples above which something is missing."""
    steps = [later.time - one.time for one, later in pairwise(samples)]
    whole = samples[-1].time - samples[0].time if samples else 0
    return max(GAP_S, GAPS * median(steps or [0]), 2.5 * COARSE_S if whole > HOUR_S else 0.0)


def _round_up(value: float) -> float:
    """Return the next round number, for an axis."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    while size > value:
        size /= 10
    return next(step * size for step in _STEPS if step * size >= value)
