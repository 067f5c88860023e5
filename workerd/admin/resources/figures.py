"""The figures of a process that are drawn: memory, processor, and the time since its last beat, each with its limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from workerd.admin.ages import spell_span
from workerd.wire.samples import Sample

from .plot import HIGH, Plot, Value, plot
from .windows import Window

HEIGHT, ABOVE = 84, 16
"""The height of a curve in pixels, and the room above it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its name, its value in a sample, and how that is spelled."""

    name: str
    value: Value
    spell: Callable[[float], str]
    limit: float | None = None
    tone: str = "done"


def figures_of(max_memory: float | None, heartbeat_timeout: float | None) -> tuple[Figure, ...]:
    """Return the figures of a job's processes, with the limits of its row."""
    return (
        Figure(_("Memory"), memory_of, spell_mib, max_memory, "good"),
        Figure(_("Processor"), lambda one: one.processor, spell_percent),
        Figure(_("Since its last beat"), lambda one: one.silence, spell_span, heartbeat_timeout, "wait"),
    )


def memory_of(sample: Sample) -> float | None:
    """Return the growth in MiB, None where it was not measured."""
    return None if sample.memory is None else sample.memory / 1024


def spell_mib(value: float) -> str:
    """Return "44 MiB"; what is below one is said so, as 0 MiB would look like nothing measured."""
    if 0 <= value < 1:
        return _("< 1 MiB")
    return _("%s MiB") % (f"{value:.1f}" if value < 10 else f"{value:.0f}")


def spell_percent(value: float) -> str:
    """Return "12 %" of one processor."""
    return _("%s %%") % (f"{value:.1f}" if value < 10 else f"{value:.0f}")


def draw(figure: Figure, samples: Sequence[Sample], windows: Sequence[Window], name: str) -> dict[str, Any] | None:
    """Return what the template draws of a figure; None where it was never measured in these windows."""
    plots = [plot(samples, figure.value, window, figure.limit) for window in windows]
    if all(one.is_empty for one in plots):
        return None
    return {
        "name": figure.name,
        "tone": figure.tone,
        "panels": [_panel(figure, one, name) for one in plots],
        "limit": figure.spell(figure.limit) if figure.limit is not None else "",
    }


def _panel(figure: Figure, drawn: Plot, name: str) -> dict[str, Any]:
    begin, end = drawn.window.labels
    limit_y = None if drawn.limit_y is None else round(ABOVE + drawn.limit_y * HEIGHT / HIGH, 1)
    return {
        "path": drawn.path,
        "top": figure.spell(drawn.top),
        "begin": begin,
        "end": end,
        "title": drawn.window.title,
        "limit_y": limit_y,
        "limit_text_y": None if limit_y is None else limit_y - 4,
        "far_limit": figure.spell(figure.limit) if figure.limit is not None and limit_y is None else "",
        "words": _words(figure, drawn, name),
    }


def _words(figure: Figure, drawn: Plot, name: str) -> str:
    """Return the curve in a sentence, for who does not see it."""
    place = {"figure": figure.name, "slot": name, "window": drawn.window.title}
    if drawn.is_empty:
        return _("%(figure)s of %(slot)s, %(window)s: not measured") % place
    spelled = {
        "first": drawn.values[0],
        "last": drawn.values[-1],
        "least": min(drawn.values),
        "most": max(drawn.values),
    }
    place |= {key: figure.spell(value) for key, value in spelled.items()}
    words = _("%(figure)s of %(slot)s, %(window)s: from %(first)s to %(last)s, at least %(least)s, at most %(most)s")
    limit = _("; its limit is %s") % figure.spell(figure.limit) if figure.limit is not None else ""
    return words % place + limit
