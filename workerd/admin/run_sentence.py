"""A run in words: a sentence on how it ended, and a short one for its bar in the timeline."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Run
from workerd.wire.words import Outcome

from .ages import between, exact, spell_span
from .badges import OUTCOME_WORDS
from .due import is_missed


def describe_end(run: Run, now: datetime, *, may_view_output: bool) -> str:
    """Return a sentence, or two; without ``may_view_output`` the exception's message is left out."""
    values = {
        "count": str(run.missed or 1),
        "due": exact(run.due or run.born or now),
        "span": spell_span(lifetime_s(run, now)),
        "reason": run.reason if may_view_output or run.outcome in _OURS else "",
        "by": run.signal or _("exit code %s") % run.exit_code,
        "exception": exception_of(run, may_view_output=may_view_output).partition("\n")[0][:500],
        "memory": "" if run.peak_memory is None else f"{run.peak_memory:.0f}",
    }
    sentence = _SENTENCES.get(run.outcome, _running)(run, values)
    if run.outcome in (Outcome.HUNG, Outcome.KILLED, Outcome.OVER_MEMORY, Outcome.LOST) and run.note:
        sentence = f"{sentence} {_('Its last note was “%s”.') % run.note[:300]}"
    return sentence


def exception_of(run: Run, *, may_view_output: bool) -> str:
    """Return what ended the run; without ``may_view_output`` the exception's type alone, and nothing of a refusal."""
    if may_view_output:
        return run.exception
    return "" if run.outcome == Outcome.REFUSED else run.exception.partition(":")[0]


def describe_run(run: Run, now: datetime) -> str:
    """Return the run's slot, outcome, length and start, for a tooltip and for a screen reader."""
    if is_missed(run):
        count = run.missed or 1
        words = ngettext(
            "%(slot)s: missed, due %(due)s", "%(slot)s: missed %(count)s times, the first due %(due)s", count
        )
        return words % {"slot": run.slot, "due": exact(run.due or run.born or now), "count": count}
    values = {
        "slot": run.slot,
        "outcome": OUTCOME_WORDS.get(run.outcome, run.outcome),
        "span": spell_span(lifetime_s(run, now)),
        "started": exact(run.born or now),
    }
    if run.ended is None:
        return _("%(slot)s: %(outcome)s for %(span)s, started %(started)s") % values
    return _("%(slot)s: %(outcome)s after %(span)s, started %(started)s") % values


def lifetime_s(run: Run, now: datetime) -> float:
    """Return how long the run took, or has taken so far."""
    return max(0.0, between(run.born or now, run.ended or now).total_seconds())


_OURS = frozenset({Outcome.HUNG, Outcome.OVER_MEMORY, Outcome.RECYCLED, Outcome.OVERTIME})
"""The reasons of these are workerd's own words; others may hold the message of an exception."""


def _running(_run: Run, values: dict[str, str]) -> str:
    return _("Running for %(span)s.") % values


def _stopped(_run: Run, values: dict[str, str]) -> str:
    return _("Stopped after %(span)s, as asked.") % values


def _finished(_run: Run, values: dict[str, str]) -> str:
    if values["reason"] not in ("", "exit code 0"):  # it left a process in the background
        return _("Finished by itself after %(span)s: %(reason)s.") % values
    return _("Finished by itself after %(span)s, without an error.") % values


def _failed(_run: Run, values: dict[str, str]) -> str:
    if values["exception"]:
        return _("Failed after %(span)s: %(exception)s") % values
    return _("Failed after %(span)s, with %(by)s.") % values


def _crashed(_run: Run, values: dict[str, str]) -> str:
    return _("Crashed after %(span)s: ended by %(by)s, which workerd did not send.") % values


def _hung(_run: Run, values: dict[str, str]) -> str:
    if values["reason"]:
        return _("Hung after %(span)s: %(reason)s. It was ended by %(by)s.") % values
    return _("Hung: after %(span)s it gave no sign of life, and was ended by %(by)s.") % values


def _over_memory(_run: Run, values: dict[str, str]) -> str:
    if values["reason"]:
        return _("Over its memory limit after %(span)s: %(reason)s.") % values
    if not values["memory"]:
        return _("Over its memory limit after %(span)s; by how much was not measured.") % values
    return _("Over its memory limit after %(span)s: it had grown by %(memory)s MiB at its peak.") % values


def _recycled(_run: Run, values: dict[str, str]) -> str:
    if values["reason"]:
        return _("Replaced gracefully after %(span)s: %(reason)s.") % values
    return _("Replaced gracefully after %(span)s.") % values


def _refused(_run: Run, values: dict[str, str]) -> str:
    reason = values["reason"] or values["exception"] or _("only users who may view output can read why.")
    return _("The job cannot run as it is defined: %(reason)s") % {"reason": reason}


def _killed(_run: Run, values: dict[str, str]) -> str:
    if values["reason"]:
        return _("Killed after %(span)s: %(reason)s.") % values
    return _("Killed after %(span)s: it was asked to stop, and did not stop in time.") % values


def _lost(_run: Run, _values: dict[str, str]) -> str:
    return _("Lost: its daemon ended before it could report how this run ended.")


def _overtime(_run: Run, values: dict[str, str]) -> str:
    if values["reason"]:
        return _("Ended after %(span)s: %(reason)s.") % values
    return _("Ended after %(span)s: it took longer than its longest run.") % values


def _missed(run: Run, values: dict[str, str]) -> str:
    words = ngettext(
        "Missed: nothing was started for %(due)s.",
        "Missed %(count)s times: nothing was started for %(due)s, nor for the times that followed.",
        run.missed or 1,
    )
    return f"{words % values} {_('The reason: %s.') % values['reason'] if values['reason'] else ''}".rstrip()


_SENTENCES: Mapping[str, Callable[[Run, dict[str, str]], str]] = {
    Outcome.STOPPED: _stopped,
    Outcome.FINISHED: _finished,
    Outcome.ERROR: _failed,
    Outcome.CRASHED: _crashed,
    Outcome.HUNG: _hung,
    Outcome.OVER_MEMORY: _over_memory,
    Outcome.RECYCLED: _recycled,
    Outcome.REFUSED: _refused,
    Outcome.KILLED: _killed,
    Outcome.LOST: _lost,
    Outcome.OVERTIME: _overtime,
    Outcome.MISSED: _missed,
}
