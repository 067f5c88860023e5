"""The job rows that the installed code refuses: by the rules for a row, or because what they name cannot be called."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections

from workerd.job_rules import find_faults, join_sentences
from workerd.models import Job
from workerd.targets import find_row_problems
from workerd.wire.spec import JobSpec, with_defaults

from .deadline import in_time


@dataclass(frozen=True, slots=True)
class RefusedJob:
    """One row, and what is wrong with it and how to put it right."""

    name: str
    enabled: bool
    reason: str


def find_refused_jobs(alias: str, *, jobs_are_loaded: bool) -> Iterator[RefusedJob]:
    """Yield the refused rows in the order of their names; without the project's jobs only their values are judged.

    Raises Hang where the target of a row hangs.
    """
    for values in read_jobs(alias):
        if reason := _why_refused(values, jobs_are_loaded=jobs_are_loaded):
            yield RefusedJob(str(values["name"]), bool(values["enabled"]), reason)


def read_jobs(alias: str) -> list[dict[str, Any]]:
    """Return the values of every row, but for columns that a migration has yet to add."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        present = {column.name for column in connection.introspection.get_table_description(cursor, Job._meta.db_table)}
    columns = {field.name: str(field.column) for field in Job._meta.concrete_fields}
    names = [name for name in JobSpec._fields if columns[name] in present]
    return [with_defaults(values) for values in Job.objects.using(alias).order_by("name").values(*names)]


def _why_refused(values: dict[str, Any], *, jobs_are_loaded: bool) -> str:
    if faults := find_faults(values):
        return join_sentences(faults)
    if jobs_are_loaded:
        with in_time(f"What the job “{values['name']}” runs"):
            problems = find_row_problems(JobSpec(**values))
        return " ".join(dict.fromkeys(sentence for sentences in problems.values() for sentence in sentences))
    return ""
