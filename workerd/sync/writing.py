"""Carries a plan out: everything is judged before anything is written, in one transaction, once however many ask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.db import DatabaseError, IntegrityError, connections, transaction

from workerd.definitions.definition import Definition
from workerd.errors import WorkerdError
from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.models import Job

from .choices import Choices, find_choice_faults
from .plan import JobPlan, make_plan, owned_fields
from .rows import row_of
from .validity import find_faults, find_order_faults

ATTEMPTS = 10
"""Each attempt that fails has lost to a sync, or to an edit, that was written."""


class InvalidError(WorkerdError):
    """Nothing was written, because of ``faults``, a sentence each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


@dataclass(frozen=True, slots=True)
class Request:
    """A request to bring definitions into the rows; without a ``source`` the rows are the admin's."""

    definitions: Mapping[str, Definition]
    source: str
    choices: Choices = field(default_factory=Choices)


def preview(request: Request, alias: str) -> list[JobPlan]:
    """Return what a sync would do. Raises InvalidError."""
    return _plan(request, Job.objects.using(alias))


def carry_out(request: Request, alias: str) -> list[JobPlan]:
    """Write what is to be written, and return what was done. Raises InvalidError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(using=alias):
                _lock_sqlite(alias)
                jobs = list(Job.objects.using(alias).select_for_update().order_by("name"))
                plans = _plan(request, jobs)
                _write(plans, {job.name: job for job in jobs}, alias)
            return plans
        except DatabaseError as error:
            if attempt == ATTEMPTS or not _has_lost_a_race(error):
                raise
    raise AssertionError("unreachable")


def _plan(request: Request, jobs: Iterable[Job]) -> list[JobPlan]:
    rows = {job.name: row_of(job) for job in jobs}
    fields = owned_fields(request.definitions, rows, request.source)
    if faults := list(find_choice_faults(request.choices, fields)):
        raise InvalidError(faults)
    plans = make_plan(request.definitions, rows, request.source, request.choices)
    if faults := [fault for plan in plans for fault in find_faults(plan, request.definitions.get(plan.name))]:
        raise InvalidError(faults)
    if faults := list(find_order_faults(plans, rows, request.definitions)):
        raise InvalidError(faults)
    return plans


def _lock_sqlite(alias: str) -> None:
    """Take the write lock before the first read: SQLite gives it to nobody who has read what another has changed."""
    if not connections[alias].features.has_select_for_update:
        Job.objects.using(alias).filter(pk=-1).update(source="")


def _has_lost_a_race(error: DatabaseError) -> bool:
    """Return whether another has made the same row in the meantime, or the server has given the lock to another."""
    return isinstance(error, IntegrityError) or classify(error) is DatabaseFault.BUSY


def _write(plans: Iterable[JobPlan], jobs: Mapping[str, Job], alias: str) -> None:
    for plan in plans:
        if not plan.is_written:
            continue
        if plan.before is None:
            job = Job(name=plan.name, source=plan.source, synced=plan.synced, **_stored(plan.after))
            job.save(using=alias, force_insert=True)
        elif plan.after is None:
            jobs[plan.name].delete(using=alias)
        else:
            _update(plan, jobs[plan.name], alias)


def _update(plan: JobPlan, job: Job, alias: str) -> None:
    """Save what changes by itself, so that whatever else the row says stays as it is."""
    written = plan.written
    values = {name: value for name, value in _stored(plan.after).items() if name in written}
    values |= {"source": plan.source, "synced": plan.synced}
    for name, value in values.items():
        setattr(job, name, value)
    job.save(using=alias, update_fields=list(values))


def _stored(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the columns take: some defaults are words and constants of ours."""
    return {name: _plain(value) for name, value in (values or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value
