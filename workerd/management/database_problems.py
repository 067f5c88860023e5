"""Finds what keeps the daemon or a job from running on the database: waiting migrations, and rows that are refused."""

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections
from django.db.models import Sum

from workerd.conf import SettingsError, get_settings
from workerd.definitions.declared import Declared
from workerd.durations import format_duration
from workerd.models import Job

from .consumer_problems import find_consumer_problems
from .fleet_problems import find_fleet_problems
from .missing_directories import find_missing_directories
from .order_problems import find_order_problems
from .pending import PendingMigrations
from .project_problems import why_jobs_do_not_load
from .reachable import first_line, is_in_memory, lacks_its_file, why_unreachable
from .refused_jobs import find_refused_jobs

STOP_MARGIN_S = 15.0
"""After the longest job: its stack and KILL, the ledger's last records, the forkserver."""
NAMED = 3
"""The rows with the most processes that a sentence names."""

Problem = tuple[str, str]
"""A level, and a text that says what is wrong and what to do about it."""


def find_database_problems(stop_within_s: float | None = None, declared: Declared | None = None) -> Iterator[Problem]:
    """Ask the database, if it answers; one that does not is waited for by the daemon, so that is only a warning.

    With the jobs that the code defines this is the gate for a deploy, where a database that does not answer is an
    error, and so is a name in ``starts_after`` that no job has.
    """
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
        yield from _unreachable(alias, reason, stop_within_s, "warning" if declared is None else "error")
        return
    try:
        yield from _problems(alias, stop_within_s, declared)
    except Error as error:
        text = f"The database “{alias}” refuses a query ({first_line(error)})."
        yield "error", f"{text} Let its user read and write workerd's tables."


def _unreachable(alias: str, reason: str, stop_within_s: float | None, level: str) -> Iterator[Problem]:
    text = f"The database “{alias}” cannot be reached ({reason}), so its migrations and jobs were not looked at."
    yield level, f"{text} Start it or correct its settings, then check again."
    if stop_within_s is not None:
        yield "error", "The jobs' stop_timeout could not be read, so --stop-within was compared with nothing."


def _problems(alias: str, stop_within_s: float | None, declared: Declared | None) -> Iterator[Problem]:
    pending = PendingMigrations(alias)
    if pending.names:
        text = f"The database “{alias}” is not migrated: it lacks {', '.join(pending.names)} of workerd."
        yield "error", f"{text} {_migrate(alias)}"
    if pending.has_tables:
        yield from _row_problems(alias, pending)
        yield from find_missing_directories(alias)
        yield from find_order_problems(alias, declared)
        yield from find_fleet_problems(alias)
        yield from find_consumer_problems(alias, declared)
        yield from _crowd_problems(alias, get_settings().max_processes)
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


def _crowd_problems(alias: str, most: int) -> Iterator[Problem]:
    """Yield one line where some of the slots that the rows ask for would wait for a place."""
    jobs = Job.objects.using(alias).filter(enabled=True)
    asked = jobs.aggregate(sum=Sum("processes"))["sum"] or 0
    if asked > most:
        largest = jobs.order_by("-processes", "name").values_list("name", "processes")[:NAMED]
        named = ", ".join(f"“{name}” ({processes})" for name, processes in largest)
        text = f"The enabled rows ask for {asked} processes, {asked - most} more than MAX_PROCESSES allows: those wait."
        yield "warning", f'{text} The most are asked for by {named}. Lower them, or raise WORKERD["MAX_PROCESSES"].'


def _stop_problems(alias: str, stop_within_s: float) -> Iterator[Problem]:
    jobs = Job.objects.using(alias).filter(enabled=True).order_by("-stop_timeout")
    name, longest = jobs.values_list("name", "stop_timeout").first() or ("", 0.0)
    needed = longest + STOP_MARGIN_S
    if name and needed > stop_within_s:
        text = f"“{name}” may take {format_duration(longest)} to stop"
        patience = "TimeoutStopSec=, stopwaitsecs, stop_grace_period or terminationGracePeriodSeconds"
        remedy = f"Raise {patience}, or lower its stop_timeout."
        yield "error", f"{text}: the service manager has to wait {format_duration(needed)}. {remedy}"


def _migrate(alias: str) -> str:
    return f"Run “python manage.py migrate{'' if alias == 'default' else f' --database {alias}'}”."
