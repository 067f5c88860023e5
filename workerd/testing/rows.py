"""Checks, for a test, that every job row and every definition could run with the code as it is."""

from collections.abc import Iterator

from workerd.targets import find_row_problems


def check_rows() -> None:
    """Raise AssertionError with a line for each fault of each job row in the database, and of each definition.

    Disabled rows count. What they name is imported, and the arguments are held against the signature; nothing is
    called, and nothing is written.
    """
    from workerd.definitions.declared import read_declared

    faults = [*map(str, read_declared().faults), *_row_faults()]
    if faults:
        raise AssertionError("\n".join(["some jobs cannot run:", *faults]))


def _row_faults() -> Iterator[str]:
    from workerd.conf import get_settings
    from workerd.models import Job

    for job in Job.objects.using(get_settings().database).order_by("name"):
        for field, sentences in find_row_problems(job.to_spec()).items():
            yield from (f"the row “{job.name}”, {field}: {sentence}" for sentence in sentences)
