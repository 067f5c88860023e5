"""What saving a job will do to what runs, in a sentence: the daemon's plan as its reader sees it."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.spec import JobSpec, is_restarting
from workerd.wire.words import ALIVE, State


def preview_save(was: JobSpec | None, now: JobSpec, slots: Sequence[Slot], *, is_late: bool) -> str:
    """Return what follows the edit from ``was`` (None for a new job) to ``now``."""
    running = sum(1 for slot in slots if slot.state in ALIVE)
    if is_late:
        return _("No daemon reports now; one that starts will follow the definition as it is.")
    if not now.enabled:
        return _stops(running) if running else _("It is off: nothing of it runs.")
    if was is None or not was.enabled:
        return _starts(now.processes)
    if was == now:
        return _("Nothing changes for what runs.")
    sentences = [_change(was, now, running), *_difference(was, now)]
    if any(slot.state == State.PARKED for slot in slots):
        sentences.append(_("What was parked is tried again."))
    return " ".join(sentence for sentence in sentences if sentence)


def _change(was: JobSpec, now: JobSpec, running: int) -> str:
    if is_restarting(was, now) and running:
        words = ngettext(
            "%(count)s running process will be restarted.", "%(count)s running processes will be restarted.", running
        )
        return words % {"count": running}
    if not is_restarting(was, now) and was.processes == now.processes:
        return _("Running processes take the change over; nothing is restarted.")
    return ""


def _difference(was: JobSpec, now: JobSpec) -> list[str]:
    more = now.processes - was.processes
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
