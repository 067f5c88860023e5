"""A job's row gets another name, or goes, under a seat that is held."""

import pytest

from tests.harness.waiting import eventually

from .fleet import SLACK_S, Fleet, R

pytestmark = pytest.mark.slow
SWEEP_S = 60.0
"""So seldom are rows of seats deleted that no job wants and nobody holds."""


def test_a_job_that_is_renamed_or_deleted_never_has_two_processes(fleet: Fleet) -> None:
    """Case 30: the seat is the row's, whatever its name; the rows of its seats go with it."""
    job = fleet.add("named", "deaf", stop_timeout=2)
    before = fleet.wait_running("named:0", 60)
    fleet.project.jobs.filter(pk=job.pk).update(name="renamed")
    after = fleet.wait_running("renamed:0", 60)
    ended = next(span for span in fleet.witnesses.spans("named:0") if span.pid == before.pid).ended
    fleet.project.jobs.filter(pk=job.pk).delete()
    fleet.wait_silent("renamed:0", 30)
    gone = SWEEP_S + 2 * R + SLACK_S
    eventually(lambda: not fleet.seats.filter(job_id=job.pk).exists(), gone, "the seats' rows to go")

    assert after.began > ended
