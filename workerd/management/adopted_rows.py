"""Adopted jobs as rows: each is disabled, so nothing runs twice before somebody has looked at it."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from workerd.adopt.adopted import Adopted, Refused, Result
from workerd.conf import get_settings
from workerd.job_rules.written import filled
from workerd.models import Job


def write_rows(programs: Iterable[Adopted]) -> Result:
    """Make a row for each job, and refuse those that cannot be one; all are written, or none where the database fails.

    Raises SettingsError, and whatever the database raises.
    """
    result = Result()
    alias = get_settings().database
    with transaction.atomic(using=alias):
        taken = set(Job.objects.using(alias).values_list("name", flat=True))
        for program in programs:
            result.add(_refused_name(program) if program.name in taken else _write(program, alias))
    return result


def notes_of(program: Adopted) -> str:
    """Return for people where the row comes from, and what has not come with it."""
    return "\n".join([f"Adopted from {program.place}.", *program.comments])


def _write(program: Adopted, alias: str) -> Adopted | Refused:
    values = filled({"notes": notes_of(program), **program.values}) | {"enabled": False}
    job = Job(name=program.name, **values)
    try:
        job.full_clean(validate_unique=False)
    except ValidationError as error:
        return Refused(program.name, program.place, " ".join(dict.fromkeys(error.messages)))
    job.save(using=alias)
    return program


def _refused_name(program: Adopted) -> Refused:
    reason = f"There is a row {program.name} already: delete that, or rename one of the two."
    return Refused(program.name, program.place, reason)
