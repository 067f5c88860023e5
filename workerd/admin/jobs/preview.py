"""The sentence that says what saving a job will do to its running processes: the daemon's plan in words."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.spec import JobSpec, is_relabelled, is_restarting
from workerd.wire.words import ALIVE, State

from .schedule_words import next_time


def preview_save(before: JobSpec | None, after: JobSpec, slots: Sequence[Slot], now: float, *, is_late: bool) -> str:
    """Return what the daemon will do about the edit; ``before`` is None for a new job.

    ``now`` is the database's time in seconds since 1970.
    """
    running = sum(slot.state in ALIVE for slot in slots)
    if is_late:
        return _("No daemon reports now. The next one to start will follow this definition.")
    if not after.enabled:
        return _stops(running) if running else _("The job is off: none of its processes runs.")
    if before is not None and (before == after or is_relabelled(before, after)):
        return _("Nothing changes for running processes.")
    if after.schedule:
        return _schedules(before, after, running, now)
    if before is None or not before.enabled:
        return _starts(after.processes)
    if before.schedule:
        return _("From now on it runs always.")
    if before.scope != after.scope:
        return _rescoped(after)
    sentences = [_change(before, after, running), *_difference(before, after)]
    if before.where != after.where:
        sentences.append(_("Nodes whose labels do not fit stop it."))
    if any(slot.state == State.PARKED for slot in slots):
        sentences.append(_("Parked processes are started again."))
    return " ".join(sentence for sentence in sentences if sentence)


def _change(before: JobSpec, after: JobSpec, running: int) -> str:
    restarting = is_restarting(before, after)
    if restarting and running:
        words = ngettext(
            "%(count)s running process will be restarted.", "%(count)s running processes will be restarted.", running
        )
        return words % {"count": running}
    if not restarting and before.processes == after.processes:
        return _("Running processes take the change over; none is restarted.")
    return ""


def _rescoped(after: JobSpec) -> str:
    values = {"count": after.processes}
    if after.is_fleet:
        words = ngettext(
            "From now on %(count)s process runs in all nodes together: each node stops its own, and those that get "
            "a seat start one.",
            "From now on %(count)s processes run in all nodes together: each node stops its own, and those that get "
            "a seat start one for each.",
            after.processes,
        )
        return words % values
    words = ngettext(
        "From now on each node runs %(count)s process.",
        "From now on each node runs %(count)s processes.",
        after.processes,
    )
    return words % values


def _schedules(before: JobSpec | None, after: JobSpec, running: int, now: float) -> str:
    """Return what follows for a job with a schedule: no edit starts a run, and none but a rename ends one."""
    sentences = []
    if running and before is not None:
        is_ended = not before.schedule or before.name != after.name  # to the daemon, another name is another job
        sentences.append(_stops(running) if is_ended else _("The run that goes on is not ended."))
    moment = next_time(after.schedule, after.time_zone, now)
    sentences.append(_("It runs next at its time: %s.") % moment if moment else _("Its schedule has no time to come."))
    return " ".join(sentences)


def _difference(before: JobSpec, after: JobSpec) -> list[str]:
    more = after.processes - before.processes
    if more > 0:
        return [_starts(more)]
    return [_stops(-more)] if more < 0 else []


def _starts(count: int) -> str:
    words = ngettext("%(count)s process will be started.", "%(count)s processes will be started.", count)
    return words % {"count": count}


def _stops(count: int) -> str:
    words = ngettext(
        "%(count)s process will be stopped gracefully.", "%(count)s processes will be stopped gracefully.", count
    )
    return words % {"count": count}
