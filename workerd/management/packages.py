"""Reads the schedules of other packages of the project for their adoption: rows of their tables, and settings."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from json import JSONDecodeError, loads
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from workerd.adopt.adopted import Adopted, Refused, Result
from workerd.adopt.celery_beat import BeatEntry, adopt_entry
from workerd.adopt.context import Context
from workerd.adopt.django_crontab import adopt_cronjob
from workerd.adopt.django_q import QSchedule, adopt_schedule
from workerd.adopt.names import name_apart
from workerd.errors import WorkerdError
from workerd.registry import autodiscover

ROUTING = ("queue", "exchange", "routing_key", "headers", "priority", "expires", "expire_seconds")
"""Columns of django-celery-beat, and options of ``beat_schedule``."""


class PackageError(WorkerdError):
    """A package's schedules cannot be read; says why and what to do."""


def adopt_package(name: str, context: Context) -> Result:
    """Return what comes of all schedules of a package of PACKAGES. Raises PackageError."""
    result = Result()
    try:
        autodiscover()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the project's modules: told, and gone on
        result.notes.append(f"The project's jobs do not import ({error}): none of them is found here.")
    try:
        for program in PACKAGES[name](context):
            result.add(program)
    except DatabaseError as error:
        raise PackageError(
            f"The rows of {name} cannot be read ({error}): migrate the database, and try again."
        ) from error
    if not result.adopted and not result.refused:
        result.notes.append(f"{name} has no schedule.")
    result.adopted[:] = name_apart([*result.adopted])
    return result


def _django_crontab(context: Context) -> Iterator[Adopted | Refused]:
    is_locked = bool(getattr(settings, "CRONTAB_LOCK_JOBS", False))
    for number, entry in enumerate(getattr(settings, "CRONJOBS", ()), start=1):
        yield adopt_cronjob(entry, f"CRONJOBS, entry {number}", context, is_locked=is_locked)


def _celery_beat(context: Context) -> Iterator[Adopted | Refused]:
    for row in _rows("django_celery_beat", "PeriodicTask"):
        place = f"django-celery-beat, row {row.pk}"
        try:
            args, kwargs = loads(row.args or "[]"), loads(row.kwargs or "{}")
        except JSONDecodeError:
            yield Refused(row.name, place, "Its arguments are no JSON: correct them there.")
            continue
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            yield Refused(row.name, place, "Its arguments are no JSON list and object: correct them there.")
            continue
        entry = BeatEntry(
            name=row.name,
            task=row.task,
            schedule=_schedule_of(row),
            zone=str(row.crontab.timezone) if row.crontab else "",
            args=args,
            kwargs=kwargs,
            options={name: value for name in ROUTING if (value := getattr(row, name)) not in (None, "", "{}")},
            enabled=row.enabled,
            one_off=row.one_off,
            start_time=row.start_time and _local(row.start_time),
            description=row.description,
        )
        yield adopt_entry(entry, place, context, time.time())


def _schedule_of(row: Any) -> Any:
    try:
        return row.solar or row.schedule  # Celery's object of the sun needs one more package to exist
    except Exception as error:  # noqa: BLE001 - the border to Celery's parsers: told as the reason of this row
        return error


def _beat_schedule(context: Context) -> Iterator[Adopted | Refused]:
    if find_spec("celery") is None:
        raise PackageError("Celery is not installed here, so there is no beat_schedule to read.")
    conf = import_module("celery").current_app.conf
    written = conf.beat_schedule or getattr(settings, "CELERY_BEAT_SCHEDULE", {})
    zone = str(conf.timezone or getattr(settings, "CELERY_TIMEZONE", None) or "UTC")
    for name, entry in written.items():
        place = f"beat_schedule, {name!r}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("task"), str):
            yield Refused(str(name), place, "It names no task: correct it there.")
            continue
        read = BeatEntry(
            name=str(name),
            task=entry["task"],
            schedule=entry.get("schedule"),
            zone=zone,
            args=entry.get("args") or (),
            kwargs=entry.get("kwargs") or {},
            options=entry.get("options") or {},
        )
        yield adopt_entry(read, place, context, time.time())


def _django_q(context: Context) -> Iterator[Adopted | Refused]:
    for row in _rows("django_q", "Schedule"):
        read = QSchedule(
            name=row.name or "",
            func=row.func,
            schedule_type=row.schedule_type,
            zone=settings.TIME_ZONE,
            args=row.args or "",
            kwargs=row.kwargs or "",
            minutes=row.minutes,
            repeats=row.repeats,
            next_run=row.next_run and _local(row.next_run),
            cron=row.cron or "",
            dropped={"hook": row.hook, "cluster": getattr(row, "cluster", "")},
            intended_date_kwarg=getattr(row, "intended_date_kwarg", "") or "",
        )
        yield adopt_schedule(read, f"django-q2, row {row.pk}", context, time.time())


def _rows(label: str, model: str) -> Iterable[Any]:
    if not apps.is_installed(label):
        raise PackageError(
            f"“{label}” is not among INSTALLED_APPS here: adopt with the settings that its rows are used with."
        )
    rows: Iterable[Any] = apps.get_model(label, model)._default_manager.order_by("pk")
    return rows


def _local(moment: Any) -> Any:
    """Return a moment on the clocks of the project's TIME_ZONE."""
    aware = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    return timezone.localtime(aware, timezone.get_default_timezone())


PACKAGES: Mapping[str, Callable[[Context], Iterator[Adopted | Refused]]] = {
    "beat-schedule": _beat_schedule,
    "celery-beat": _celery_beat,
    "django-crontab": _django_crontab,
    "django-q2": _django_q,
}
"""By the name that ``--from`` takes."""
