"""The spans of time that curves are drawn for, and a curve cut to one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from workerd.wire.curves import thin_to
from workerd.wire.samples import Sample

HOUR_S, DAY_S = 3600, 86400
SHORT_S = (60, 300, 900, HOUR_S)
"""The first panel is as short as the samples allow: those of a new process fill it."""
GRAIN_S = 30
"""Panels end at a multiple of this: a page that asks each two seconds is answered that nothing has changed."""
POINTS = 180


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, in wall seconds."""

    start: int
    end: int
    title: str

    @property
    def seconds(self) -> int:
        return self.end - self.start

    def cut(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return the samples within, no more than are drawn."""
        return thin_to([one for one in samples if self.start <= one.time <= self.end], POINTS)

    def percent(self, time: int) -> float:
        """Return where in the window a moment is."""
        return (time - self.start) / max(1, self.seconds) * 100

    @property
    def labels(self) -> tuple[str, str]:
        """The times of day at which it begins and ends, in the admin's time zone."""
        spells_seconds = self.seconds < HOUR_S // 4
        begin = clock_time(self.start, self.end, seconds=spells_seconds)
        return begin, clock_time(self.end, self.end, seconds=spells_seconds)


def windows_for(samples: Sequence[Sample], now: float) -> list[Window]:
    """Return the last minutes, up to an hour; and the last day where there is more than an hour to see."""
    end = int(-(-max(now, samples[-1].time if samples else now) // GRAIN_S) * GRAIN_S)
    age = end - samples[0].time if samples else 0
    short = next((span for span in SHORT_S if span >= age), HOUR_S)
    titles = {
        60: _("the last minute"),
        300: _("the last 5 minutes"),
        900: _("the last 15 minutes"),
        HOUR_S: _("the last hour"),
    }
    found = [Window(end - short, end, titles[short])]
    return [*found, Window(end - DAY_S, end, _("the last 24 hours"))] if age > HOUR_S else found


def window_of(samples: Sequence[Sample]) -> Window:
    """Return the time from the first sample to the last."""
    return Window(samples[0].time, max(samples[-1].time, samples[0].time + 1), _("the run"))


def clock_time(moment: int, beside: int, *, seconds: bool = False) -> str:
    """Return the time of day in the admin's time zone, with the date where that is not the one of ``beside``."""
    local, other = (timezone.localtime(datetime.fromtimestamp(one, UTC)) for one in (moment, beside))
    text = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return text if local.date() == other.date() else f"{local:%d %b} {text}"


def is_recent(samples: Sequence[Sample], now: float) -> bool:
    """Return whether there is anything of the last day."""
    return bool(samples) and now - samples[-1].time < timedelta(days=1).total_seconds()
