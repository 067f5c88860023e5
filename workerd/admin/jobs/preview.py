"""The sentence that says what saving a job will do to its running processes: the daemon's plan in words."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.spec import JobSpec, is_restarting
from workerd.wire.words import ALIVE, State


def preview_save(before: JobSpec | None, after: JobSpec, slots: Sequence[Slot], *, is_late: bool) -> str:
    """Return what the daemon will do about the edit; ``before`` is None for a new job."""
    running = sum(slot.state in ALIVE for slot in slots)
    if is_late:
        return _("No daemon reports now. The next one to start will follow this definition.")
    if not after.enabled:
        return _stops(running) if running else _("The job is off: none of its processes runs.")
    if before is None or not before.enabled:
        return _starts(after.processes)
    if before == after:
        return _("Nothing changes for running processes.")
    sentences = [_change(before, after, running), *_difference(before, after)]
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
