"""The result of a run in a test (``Result``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workerd.wire.words import FAILURES, Outcome

from .failures import JobFailedError, JobRefusedError


@dataclass(frozen=True, slots=True)
class Result:
    """A run that has ended.

    ``outcome`` is the word that the run's row would have. ``exception`` is what the job raised. ``beats`` counts the
    beats, ``notes`` are their texts. ``waits`` has the seconds of each wait and of each pause before a turn, None for
    one without end. ``turns`` counts the turns that have begun. ``logs`` are events as structlog's ``capture_logs``
    has them: dicts with ``event``, ``log_level`` and the event's fields. ``exit_code`` is the child's, below 0 for a
    signal. ``refusal`` says why the job could not run, or is "".
    """

    outcome: Outcome
    exception: BaseException | None
    beats: int
    notes: Sequence[str]
    waits: Sequence[float | None]
    turns: int
    logs: Sequence[Mapping[str, Any]]
    exit_code: int
    refusal: str

    def raise_failure(self, job: str) -> None:
        """Raise what has gone wrong, if anything has."""
        if self.exception is not None:
            raise self.exception
        if self.refusal:
            raise JobRefusedError(self.refusal)
        if self.outcome in FAILURES:
            raise JobFailedError(job, self.exit_code)
