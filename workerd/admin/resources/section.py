"""The section on resources: curves of a job's last day or of a run to its end, and a table of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from workerd.admin.ages import as_utc, spell
from workerd.models import Job, Run, Slot
from workerd.wire.curves import run_curve, slot_curve, thin_to
from workerd.wire.samples import Sample
from workerd.wire.words import ALIVE

from .figures import ABOVE, HEIGHT, Figure, draw, figures_of, memory_of, spell_mib, spell_percent
from .forecast import seconds_to_limit
from .windows import HOUR_S, Window, clock_time, is_recent, window_of, windows_for

MOST_SLOTS = 4
"""The slots whose curves are drawn; of more, those with the most memory."""
ROWS = 40
AHEAD_S = 300
"""A daemon's clock may be so far ahead of the database's."""


def slots_section(job: Job, slots: Iterable[Slot], now: Any, alias: str, request: HttpRequest) -> str:
    """Return the section of a job's page, in one query."""
    moment = as_utc(now).timestamp()
    known = sorted(slots, key=lambda slot: slot.memory or 0.0, reverse=True)
    chosen = sorted(known[:MOST_SLOTS], key=lambda slot: (slot.index, slot.node_id or 0))
    texts = dict(Slot.objects.using(alias).filter(pk__in=[slot.pk for slot in chosen]).values_list("pk", "samples"))
    shown = []
    for slot in chosen:
        samples = slot_curve(texts.get(slot.pk), moment + AHEAD_S)
        if is_recent(samples, moment):
            limit = job.max_memory if slot.state in ALIVE else None
            shown.append(_drawn(slot.name, samples, windows_for(samples, moment), _figures(job), limit))
    context = {"slots": shown, "left_out": len(known) - len(chosen), "drawn": len(chosen)}
    return render_to_string("admin/workerd/resources.html", context | SIZES, request)


def run_section(run: Run, job: Job | None, request: HttpRequest) -> str:
    """Return the section of a run's page; "" where no sample of it is kept."""
    end = as_utc(run.ended).timestamp() if run.ended else float("inf")
    samples = run_curve(run.samples, end + AHEAD_S)
    if not samples:
        return ""
    drawn = _drawn(run.slot, samples, [window_of(samples)], _figures(job))
    return render_to_string("admin/workerd/resources.html", {"slots": [drawn], "is_run": True} | SIZES, request)


SIZES = {"height": HEIGHT + ABOVE + 2, "plot_height": HEIGHT, "above": ABOVE}


def words_of_growth(points: Sequence[tuple[float, float]], limit: float | None) -> str:
    """Return "6 h" where memory meets its limit then at this rate; "" where that is not so within a day."""
    left = seconds_to_limit(points, limit)
    return spell(max(60.0, left)) if left is not None else ""


def _figures(job: Job | None) -> tuple[Figure, ...]:
    return figures_of(job.max_memory, job.heartbeat_timeout) if job is not None else figures_of(None, None)


def _drawn(
    name: str, samples: list[Sample], windows: list[Window], figures: Iterable[Figure], limit: float | None = None
) -> dict[str, Any]:
    """Return what the template shows of a slot or a run; with a ``limit``, when its memory will meet that."""
    memory = [one.memory for one in samples if one.memory is not None]
    return {
        "name": name,
        "figures": [drawn for figure in figures if (drawn := draw(figure, samples, windows, name))],
        "now": spell_mib(memory[-1] / 1024) if memory else "",
        "full": _growth(samples, limit),
        "rows": [_row(one, samples[-1].time) for one in reversed(thin_to(samples, ROWS))],
    }


def _growth(samples: Sequence[Sample], limit: float | None) -> str:
    """Return in how long the limit is met, by what the present process did in the last hour, or all the time."""
    begin = max((place for place, one in enumerate(samples) if one.is_first), default=0)
    points = [(float(one.time), found) for one in samples[begin:] if (found := memory_of(one)) is not None]
    lately = [point for point in points if point[0] >= points[-1][0] - HOUR_S]
    return words_of_growth(lately, limit) or words_of_growth(points, limit)


def _row(sample: Sample, last: int) -> dict[str, str]:
    memory, unknown = memory_of(sample), _("not measured")
    return {
        "time": clock_time(sample.time, last, seconds=True),
        "memory": unknown if memory is None else spell_mib(memory),
        "processor": unknown if sample.processor is None else spell_percent(sample.processor),
        "silence": "-" if sample.silence is None else spell(sample.silence),
        "descriptors": unknown if sample.descriptors is None else str(sample.descriptors),
        "threads": unknown if sample.threads is None else str(sample.threads),
    }
