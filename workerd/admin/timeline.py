"""The geometry of a job's last day: one lane for each slot, one bar for each run.

The style sheet gives each bar the colour and the pattern of its outcome.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from workerd.models import Run

from .ages import as_utc, between
from .badges import OUTCOME_TONES
from .due import is_missed
from .recent_runs import WINDOW, RecentRuns
from .run_sentence import describe_run

MISSED_WIDTH = 0.3
"""Per cent that what never ran is drawn with, to be seen."""
LEAST_WIDTH = 0.001
"""A bar without any width is not drawn, not even its outline."""
LANE_HEIGHT, BAR_HEIGHT, AXIS_HEIGHT = 30, 18, 22
TICK = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: ``x`` and ``width`` are per cent of the window, ``y`` is pixels from the top."""

    x: str
    width: str
    y: int
    tone: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One slot, with its runs."""

    name: str
    y: int
    label_y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All values for the template. ``cut`` is where the runs that are left out end, in per cent, or empty."""

    lanes: tuple[Lane, ...]
    ticks: tuple[dict[str, Any], ...]
    height: int
    axis_y: int
    cut: str
    bar_height: int = BAR_HEIGHT

    @property
    def count(self) -> int:
        return sum(len(lane.bars) for lane in self.lanes)


def lay_out(recent: RecentRuns, site: str) -> Timeline:
    """Return the timeline of the window that ends now."""
    runs = recent.shown
    slots = sorted({(run.node_name, run.index) for run in runs}, key=lambda slot: (slot[1], slot[0]))
    several_nodes = len({node for node, _index in slots}) > 1
    lanes = []
    for number, (node, index) in enumerate(slots):
        runs_of_slot = [run for run in reversed(runs) if (run.node_name, run.index) == (node, index)]
        y = number * LANE_HEIGHT
        bars = tuple(_bar(run, recent, site, y + (LANE_HEIGHT - BAR_HEIGHT) // 2) for run in runs_of_slot)
        name = f"{runs_of_slot[-1].slot} {node}" if several_nodes else runs_of_slot[-1].slot
        lanes.append(Lane(name, y, y + LANE_HEIGHT // 2, bars))
    height = len(lanes) * LANE_HEIGHT
    cut = _percent(recent.cut, recent) if recent.cut else ""
    return Timeline(tuple(lanes), tuple(_ticks(recent)), height + AXIS_HEIGHT, height + AXIS_HEIGHT - 7, cut)


def _bar(run: Run, recent: RecentRuns, site: str, y: int) -> Bar:
    born, ended = max(run.born or recent.start, recent.start), run.ended or recent.now
    least = MISSED_WIDTH if is_missed(run) else LEAST_WIDTH
    return Bar(
        x=_percent(born, recent),
        width=f"{max(least, between(born, ended) / WINDOW * 100):.3f}%",
        y=y,
        tone=OUTCOME_TONES.get(run.outcome, "rest"),
        url=reverse(f"{site}:workerd_run_change", args=[run.pk]),
        words=describe_run(run, recent.now),
    )


def _percent(moment: datetime, recent: RecentRuns) -> str:
    return f"{between(recent.start, moment) / WINDOW * 100:.3f}%"


def _ticks(recent: RecentRuns) -> Iterator[dict[str, Any]]:
    """Yield every third full hour of the admin's time zone, none too near an edge for its label."""
    local = timezone.localtime(as_utc(recent.start)).replace(minute=0, second=0, microsecond=0)
    moment = local + timedelta(hours=3 - local.hour % 3)
    number = 0
    while moment < as_utc(recent.now) - timedelta(minutes=40):
        if moment > as_utc(recent.start) + timedelta(minutes=40):
            yield {"x": _percent(moment, recent), "label": f"{moment:%H:%M}", "is_minor": number % 2 == 1}
        moment += TICK
        number += 1
