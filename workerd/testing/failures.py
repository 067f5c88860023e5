"""The errors by which ``run_job`` fails a test where the job's code has raised none."""

from workerd.errors import WorkerdError


class JobRefusedError(WorkerdError, AssertionError):
    """The job cannot run as it is asked for; says why, as the row's problem would."""


class JobFailedError(WorkerdError, AssertionError):
    """The job has left with an exit code other than 0."""

    def __init__(self, job: str, exit_code: int) -> None:
        super().__init__(f"“{job}” has left with exit code {exit_code}.")


class StopIgnoredError(WorkerdError, AssertionError):
    """The job has not ended within its time; the traceback shows where it was."""

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(
            f"“{job}” was asked to stop and goes on {seconds:g} s later. Have it look at context.stopping, or loop over"
            " context.every() or context.each(); or give run_job a longer stop_after."
        )


class OutOfTime(BaseException):
    """Unwinds the code of a job that goes on; no handler of the job for Exception may take it away."""
