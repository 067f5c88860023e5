"""A job's definition in an operator's words, for the job's page."""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from workerd.command_secrets import masked_command
from workerd.durations import format_duration
from workerd.models import Job
from workerd.models.job import OVERLAP_CHOICES, SCOPE_CHOICES, WITHOUT_DATABASE_CHOICES

from .masking import masked
from .origin import origin_facts
from .schedule_words import zone_of


def _given(job: Job) -> tuple[tuple[str, str], ...]:
    """Return what its processes get: a term, and a text or ""."""
    return (
        (_("Arguments"), _json(job.kwargs)),
        (_("Environment"), _json(job.environment)),
        (_("Working directory"), job.working_directory or ""),
        (_("Umask"), job.umask or ""),
    )


def _nodes(job: Job) -> list[tuple[str, str]]:
    """Return on which nodes it runs, and what the fleet does about it."""
    spec = job.to_spec()
    where: list[tuple[str, str]] = [(_("Where"), format_html("<code>{}</code>", spec.where))] if spec.where else []
    if not spec.is_fleet:
        return where
    return [
        (_("Scope"), str(dict(SCOPE_CHOICES)[spec.scope])),
        *where,
        (_("Taken over after"), format_duration(spec.takeover_after)),
        (_("Without the database"), str(dict(WITHOUT_DATABASE_CHOICES)[spec.without_database])),
        *([(_("Movable"), _("yes"))] if spec.movable else []),
    ]


def _json(values: Any) -> str:
    return json.dumps(masked(values), ensure_ascii=False) if values else ""


def summary_of(job: Job) -> list[tuple[str, str]]:
    """Return terms and values; limits that are not set are left out."""
    pairs: list[tuple[str, str]] = [
        (_("Runs"), format_html("<code>{}</code>", job.target or masked_command(job.command)))
    ]
    pairs += [(label, format_html("<code>{}</code>", text)) for label, text in _given(job) if text]
    pairs += [(_("Processes"), str(job.processes)), *_nodes(job), (_("Restart"), job.get_restart_display())]
    if job.labels:
        pairs.append((_("Labels"), format_html("<code>{}</code>", job.labels)))
    if job.schedule:
        spec = job.to_spec()
        pairs += [
            (_("Schedule"), format_html("<code>{}</code> ({})", spec.schedule, zone_of(spec.time_zone))),
            (_("At a time while it runs"), str(dict(OVERLAP_CHOICES).get(spec.overlap, spec.overlap))),
            (_("Made up for within"), format_duration(spec.start_within)),
        ]
    limits: tuple[tuple[str, float | None], ...] = (
        (_("Heartbeat timeout"), job.heartbeat_timeout),
        (_("Stops within"), job.stop_timeout),
        (_("Longest run") if job.schedule else _("Longest life"), job.max_age),
    )
    pairs += [(label, format_duration(seconds)) for label, seconds in limits if seconds is not None]
    if job.max_memory is not None:
        pairs.append((_("Memory limit"), _("%s MiB") % f"{job.max_memory:g}"))
    if job.max_restarts is not None:
        words = _("after more than %(count)s failures within %(window)s")
        values = {"count": job.max_restarts, "window": format_duration(job.restart_window)}
        pairs.append((_("Gives up"), words % values))
    return pairs + origin_facts(job)
