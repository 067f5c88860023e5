"""Functions for a project's tests: run a job for some turns, list a schedule's times, find rows that could not run."""

from .clock import Clock
from .dues import due_times
from .failures import JobFailedError, JobRefusedError, StopIgnoredError
from .result import Result
from .rows import check_rows
from .running import run_job

__all__ = [
    "Clock",
    "JobFailedError",
    "JobRefusedError",
    "Result",
    "StopIgnoredError",
    "check_rows",
    "due_times",
    "run_job",
]
