"""A job's last day as a picture: a lane a slot, a bar a run, colour and pattern by how it ended. Geometry only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from workerd.models import Run

from .ages import exact, spell_span
from .badges import OUTCOME_TONES, OUTCOME_WORDS
from .jobs.recent_runs import WINDOW, RecentRuns

LANE_HEIGHT, BAR_HEIGHT, AXIS_HEIGHT = 30, 18, 22
TICK = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in its lane; places are per cent of the window, or pixels down."""

    x: str
    width: str
    y: int
    tone: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One slot."""

    name: str
    y: int
    label_y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that the template draws."""

    lanes: tuple[Lane, ...]
    ticks: tuple[dict[str, Any], ...]
    height: int
    axis_y: int
    cut: str
    bar_height: int = BAR_HEIGHT

    @property
    def count(self) -> int:
        """How many runs are shown."""
        return sum(len(lane.bars) for lane in self.lanes)


def draw(recent: RecentRuns, site: str) -> Timeline:
    """Return the picture of the window that ends now."""
    runs = recent.shown
    places = sorted({(run.node_name, run.index) for run in runs}, key=lambda place: (place[1], place[0]))
    several_nodes = len({node for node, _index in places}) > 1
    lanes = []
    for number, (node, index) in enumerate(places):
        mine = [run for run in reversed(runs) if (run.node_name, run.index) == (node, index)]
        y = number * LANE_HEIGHT
        bars = tuple(_bar(run, recent, site, y + (LANE_HEIGHT - BAR_HEIGHT) // 2) for run in mine)
        name = f"{mine[-1].slot} {node}" if several_nodes else mine[-1].slot
        lanes.append(Lane(name, y, y + LANE_HEIGHT // 2, bars))
    height = len(lanes) * LANE_HEIGHT
    cut = _percent(recent.cut, recent) if recent.cut else ""
    return Timeline(tuple(lanes), tuple(_ticks(recent)), height + AXIS_HEIGHT, height + AXIS_HEIGHT - 7, cut)


def tell(run: Run, now: datetime) -> str:
    """Return a run in words, for one who hovers, tabs or listens."""
    born = run.born or now
    values = {
        "slot": run.slot,
        "outcome": OUTCOME_WORDS.get(run.outcome, run.outcome),
        "born": exact(born),
        "span": spell_span(max(0.0, ((run.ended or now) - born).total_seconds())),
    }
    if run.ended is None:
        return _("%(slot)s: %(outcome)s, born %(born)s, %(span)s old") % values
    return _("%(slot)s: %(outcome)s after %(span)s, born %(born)s") % values


def _bar(run: Run, recent: RecentRuns, site: str, y: int) -> Bar:
    born, ended = max(run.born or recent.start, recent.start), run.ended or recent.now
    return Bar(
        x=_percent(born, recent),
        width=f"{max(0.0, (ended - born) / WINDOW) * 100:.3f}%",
        y=y,
        tone=OUTCOME_TONES.get(run.outcome, "rest"),
        url=reverse(f"{site}:workerd_run_change", args=[run.pk]),
        words=tell(run, recent.now),
    )


def _percent(moment: datetime, recent: RecentRuns) -> str:
    return f"{(moment - recent.start) / WINDOW * 100:.3f}%"


def _ticks(recent: RecentRuns) -> Iterator[dict[str, Any]]:
    """Yield the full hours of the admin's time zone, every third."""
    local = timezone.localtime(recent.start).replace(minute=0, second=0, microsecond=0)
    moment = local + timedelta(hours=3 - local.hour % 3)
    number = 0
    while moment < recent.now - timedelta(minutes=40):
        if moment > recent.start + timedelta(minutes=40):
            yield {"x": _percent(moment, recent), "label": f"{moment:%H:%M}", "is_minor": number % 2 == 1}
        moment += TICK
        number += 1
