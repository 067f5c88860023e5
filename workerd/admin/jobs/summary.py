"""A job's definition in an operator's words, for the job's page."""

import json

from django.utils.html import format_html
from django.utils.translation import gettext as _

from workerd.command_secrets import masked_command
from workerd.durations import format_duration
from workerd.models import Job

from .masking import masked


def summary_of(job: Job) -> list[tuple[str, str]]:
    """Return terms and values; limits that are not set are left out."""
    pairs: list[tuple[str, str]] = [
        (_("Runs"), format_html("<code>{}</code>", job.target or masked_command(job.command)))
    ]
    if job.kwargs:
        shown = json.dumps(masked(job.kwargs), ensure_ascii=False)
        pairs.append((_("Arguments"), format_html("<code>{}</code>", shown)))
    pairs += [(_("Processes"), str(job.processes)), (_("Restart"), job.get_restart_display())]
    limits: tuple[tuple[str, float | None], ...] = (
        (_("Heartbeat timeout"), job.heartbeat_timeout),
        (_("Stops within"), job.stop_timeout),
        (_("Longest life"), job.max_age),
    )
    pairs += [(label, format_duration(seconds)) for label, seconds in limits if seconds is not None]
    if job.max_memory is not None:
        pairs.append((_("Memory limit"), _("%s MiB") % f"{job.max_memory:g}"))
    if job.max_restarts is not None:
        words = _("after more than %(count)s failures within %(window)s")
        values = {"count": job.max_restarts, "window": format_duration(job.restart_window)}
        pairs.append((_("Gives up"), words % values))
    return pairs
