"""Finds what keeps the daemon or a job from running on the database: waiting migrations, and rows that are refused."""

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from workerd.conf import SettingsError, get_settings
from workerd.durations import format_duration
from workerd.models import Job

from .pending import PendingMigrations
from .project_problems import why_jobs_do_not_load
from .reachable import first_line, is_in_memory, lacks_its_file, why_unreachable
from .refused_jobs import find_refused_jobs

STOP_MARGIN_S = 15.0
"""After the longest job: its stack and KILL, the ledger's last records, the forkserver."""

Problem = tuple[str, str]
"""A level, and a text that says what is wrong and what to do about it."""


def find_database_problems(stop_within_s: float | None = None) -> Iterator[Problem]:
    """Ask the database, if it answers; one that does not is waited for by the daemon, so that is only a warning."""
    try:
        alias = get_settings().database
    except SettingsError:
        return  # each of its problems is among those of the settings
    try:
        connection = connections[alias]
    except ImproperlyConfigured as error:
        yield "error", f"The database “{alias}” cannot be used: {first_line(error)}."
        return
    if is_in_memory(connection):
        return  # a system check refuses it
    if lacks_its_file(connection):
        yield "error", f"The database “{alias}” is not made yet. {_migrate(alias)}"
        return
    if reason := why_unreachable(connection):
        yield from _unreachable(alias, reason, stop_within_s)
        return
    try:
        yield from _problems(alias, stop_within_s)
    except Error as error:
        text = f"The database “{alias}” refuses a query ({first_line(error)})."
        yield "error", f"{text} Let its user read and write workerd's tables."


def _unreachable(alias: str, reason: str, stop_within_s: float | None) -> Iterator[Problem]:
    text = f"The database “{alias}” cannot be reached ({reason}), so its migrations and jobs were not looked at."
    yield "warning", f"{text} Start it or correct its settings, then check again."
    if stop_within_s is not None:
        yield "error", "The jobs' stop_timeout could not be read, so --stop-within was compared with nothing."


def _problems(alias: str, stop_within_s: float | None) -> Iterator[Problem]:
    pending = PendingMigrations(alias)
    if pending.names:
        text = f"The database “{alias}” is not migrated: it lacks {', '.join(pending.names)} of workerd."
        yield "error", f"{text} {_migrate(alias)}"
    if pending.has_tables:
        yield from _row_problems(alias, pending)
        if stop_within_s is not None:
            yield from _stop_problems(alias, stop_within_s)


def _row_problems(alias: str, pending: PendingMigrations) -> Iterator[Problem]:
    """Yield one line for each row: a job that stops a migration and cannot run either is told of once."""
    stops = pending.find_stops()
    for job in find_refused_jobs(alias, jobs_are_loaded=not why_jobs_do_not_load()):
        row = f"job “{job.name}”"
        if stop := stops.pop(row, None):
            yield "error", f"The {row} stops the migration {stop.migration} and cannot run: {job.reason}"
        elif job.enabled:
            yield "error", f"The {row} cannot run: {job.reason}"
        else:
            yield "warning", f"The {row} is disabled, and could not run: {job.reason}"
    for row, stop in stops.items():
        yield "error", f"The {row} stops the migration {stop.migration}: {stop.reason} Correct it before you migrate."


def _stop_problems(alias: str, stop_within_s: float) -> Iterator[Problem]:
    jobs = Job.objects.using(alias).filter(enabled=True).order_by("-stop_timeout")
    name, longest = jobs.values_list("name", "stop_timeout").first() or ("", 0.0)
    needed = longest + STOP_MARGIN_S
    if name and needed > stop_within_s:
        text = f"“{name}” may take {format_duration(longest)} to stop"
        remedy = "Raise TimeoutStopSec=, stopwaitsecs or stop_grace_period, or lower its stop_timeout."
        yield "error", f"{text}: the service manager has to wait {format_duration(needed)}. {remedy}"


def _migrate(alias: str) -> str:
    return f"Run “python manage.py migrate{'' if alias == 'default' else f' --database {alias}'}”."
