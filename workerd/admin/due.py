"""The pages say which time of a schedule a run was for, what started it, and how late it was."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from workerd.models import Run
from workerd.models.run import TRIGGER_CHOICES
from workerd.wire.words import Outcome, Trigger

from .ages import between, exact, spell_span

TRIGGER_WORDS = dict(TRIGGER_CHOICES)


def is_missed(run: Run) -> bool:
    """Return whether the row stands for times at which nothing was started: there was no process."""
    return run.outcome == Outcome.MISSED


def lateness(run: Run) -> str:
    """Return how long after its time the run was born, "+0.12 s"; "" where it has none of its own."""
    if run.due is None or run.born is None or is_missed(run) or run.trigger == Trigger.OPERATOR:
        return ""
    return f"+{spell_span(max(0.0, between(run.due, run.born).total_seconds()))}"


def cause_of(run: Run) -> str:
    """Return how late the run was, and what started it: "+0.12 s · on time"."""
    word = "" if is_missed(run) else TRIGGER_WORDS.get(run.trigger or "", run.trigger or "")
    return " · ".join(str(part) for part in (lateness(run), word) if part)


def short_due(run: Run) -> str | SafeString:
    """Return the time of what was missed, and of what ran the cause alone: it was born at about that time."""
    if run.due is None:
        return "-"
    words = exact(run.due) if is_missed(run) else cause_of(run)
    return format_html('<span class="workerd-short-due" title="{}">{}</span>', exact(run.due), words)


def due_cell(run: Run) -> str | SafeString:
    """Return the time, and below it the cause."""
    if run.due is None:
        return "-"
    return format_html(
        '<div class="workerd-line">{}</div><div class="workerd-sub">{}</div>', exact(run.due), cause_of(run)
    )
