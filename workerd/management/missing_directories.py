"""Finds the jobs whose working directory is not there, or is closed to whoever asks."""

from collections.abc import Iterator

from workerd.directories import DirectoryError, try_directory
from workerd.job_rules import find_faults

from .refused_jobs import read_jobs

FIELD = "working_directory"


def find_missing_directories(alias: str) -> Iterator[tuple[str, str]]:
    """Yield a level and a line for each such row, in the order of their names.

    What is wrong with the text itself is among the faults of the row.
    """
    for values in read_jobs(alias):
        path = values.get(FIELD)
        if not path or find_faults({FIELD: path}):
            continue
        try:
            try_directory(path)
        except DirectoryError as error:
            if values["enabled"]:
                yield "error", f"The job “{values['name']}” cannot run here: {error}"
            else:
                yield "warning", f"The job “{values['name']}” is disabled, and could not run here: {error}"
