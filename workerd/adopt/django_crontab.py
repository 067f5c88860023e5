"""One entry of django-crontab's ``CRONJOBS`` as a job."""

from collections.abc import Mapping, Sequence
from typing import Any

from .adopted import Adopted, Refused
from .context import Context
from .draft import Draft
from .tasks import adopt_task, task_name
from .times import TimesError, cron

ONE_LOG = "The service's log has what a job prints."
_SHAPE = "It is no entry of CRONJOBS: a text of cron, a dotted path, and perhaps arguments and a suffix."


def adopt_cronjob(entry: Any, place: str, context: Context, *, is_locked: bool) -> Adopted | Refused:
    """Return the job, or why there is none. ``is_locked`` is CRONTAB_LOCK_JOBS."""
    parts = list(entry) if isinstance(entry, list | tuple) else []
    if len(parts) < 2 or not all(isinstance(part, str) for part in parts[:2]):
        return Refused(str(entry)[:60], place, _SHAPE)
    when, dotted, *rest = parts
    suffix = rest.pop() if rest and isinstance(rest[-1], str) else ""
    args, kwargs = [*rest, [], {}][0:2] if len(rest) != 1 else (rest[0], {})
    if len(rest) > 2 or not isinstance(args, Sequence) or not isinstance(kwargs, Mapping):
        return Refused(dotted, place, _SHAPE)
    draft = Draft(task_name(dotted, args), place)
    draft.values["restart"] = "never"  # cron tries nothing again
    _give_times(draft, when.strip(), context)
    if is_locked:
        draft.set_overlap("skip", "CRONTAB_LOCK_JOBS")
    if suffix.strip():
        draft.drop(f"the suffix “{suffix.strip()}”", ONE_LOG)
    adopt_task(draft, dotted, list(args), dict(kwargs), context)
    return draft.finish()


def _give_times(draft: Draft, when: str, context: Context) -> None:
    if when == "@reboot":
        draft.say("It ran once after the machine had started; it runs once whenever the service starts.")
        return
    try:
        cron(when, context.time_zone).give(draft)
    except TimesError as error:
        draft.block(str(error))
    if not context.time_zone:
        draft.say("The host's time zone is not known here: its times are read in the project's TIME_ZONE.")
