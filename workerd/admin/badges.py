"""States and outcomes as badges: a colour, a shape, and always the word."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workerd.models.run import OUTCOME_CHOICES
from workerd.models.slot import STATE_CHOICES
from workerd.wire.words import Outcome, State

from .ages import Ages

STATE_WORDS: Mapping[str, object] = dict(STATE_CHOICES)
OUTCOME_WORDS: Mapping[str, object] = dict(OUTCOME_CHOICES) | {"": _("running")}

STATE_TONES: Mapping[str, str] = {
    State.RUNNING: "good",
    State.STARTING: "busy",
    State.STOPPING: "busy",
    State.WAITING: "wait",
    State.BACKOFF: "warn",
    State.PARKED: "bad",
    State.DONE: "rest",
    State.STOPPED: "rest",
}
OUTCOME_TONES: Mapping[str, str] = {
    "": "good",
    Outcome.STOPPED: "rest",
    Outcome.FINISHED: "done",
    Outcome.RECYCLED: "done",
    Outcome.ERROR: "bad",
    Outcome.CRASHED: "bad",
    Outcome.REFUSED: "bad",
    Outcome.HUNG: "warn",
    Outcome.OVER_MEMORY: "warn",
    Outcome.KILLED: "warn",
    Outcome.OVERTIME: "warn",
    Outcome.MISSED: "warn",
    Outcome.LOST: "wait",
}


def badge(tone: str, words: object) -> SafeString:
    """Return a badge; the style sheet gives each tone its colour and shape."""
    return format_html('<span class="workerd-badge workerd-{}">{}</span>', tone, words)


def state_badge(state: str) -> SafeString:
    return badge(STATE_TONES.get(state, "rest"), STATE_WORDS.get(state, state))


def resting_badge(due: datetime | None, ages: Ages) -> SafeString:
    """Return the badge of a slot that waits for the time of its schedule."""
    return badge("due", format_html(gettext("waits · due in {}"), ages.until(due)) if due else _("waits"))


def outcome_badge(outcome: str) -> SafeString:
    """Return the badge of a run's outcome; an empty outcome is a run that has not ended."""
    return badge(OUTCOME_TONES.get(outcome, "rest"), OUTCOME_WORDS.get(outcome, outcome))
