"""What follows a run of a scheduled job: tried again within its turn, and never beyond it."""

from random import Random

import pytest

from workerd.daemon.rules.facts import Next
from workerd.daemon.rules.restart import Decision, EndedRun, FailureHistory
from workerd.daemon.rules.turns import decide_turn
from workerd.wire import exit_codes
from workerd.wire.spec import JobSpec
from workerd.wire.words import FAILURES, Outcome, Restart


class NoJitter(Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


JOB = JobSpec("report", schedule="@daily", restart=Restart.ON_FAILURE)
FAILURE = EndedRun(Outcome.ERROR, asked=False, exit_code=1, ready_s=3.0, reason="exit code 1")


def decide_all(*ends: EndedRun, spec: JobSpec = JOB) -> list[Decision]:
    history = FailureHistory()
    return [decide_turn(spec, history, end, 0.0, NoJitter()) for end in ends]


@pytest.mark.parametrize("ready_s", [None, 0.04, 900.0])
@pytest.mark.parametrize("restart", [Restart.ON_FAILURE, Restart.NEVER])
def test_a_good_end_rests_however_short_the_run_was(ready_s: float | None, restart: Restart) -> None:
    end = EndedRun(Outcome.FINISHED, asked=False, exit_code=0, ready_s=ready_s, lived_s=ready_s or 0.0)

    assert decide_all(end, spec=JOB._replace(restart=restart)) == [Decision(Next.REST)]


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.KILLED])
def test_an_end_that_was_asked_for_rests(outcome: Outcome) -> None:
    assert decide_all(EndedRun(outcome, asked=True)) == [Decision(Next.REST)]


@pytest.mark.parametrize("outcome", sorted(FAILURES - {Outcome.REFUSED}))
def test_a_failure_is_tried_again_with_delays_that_double(outcome: Outcome) -> None:
    failure = FAILURE._replace(outcome=outcome)

    assert [answer.delay for answer in decide_all(*[failure] * 4)] == [0.0, 0.5, 1.0, 2.0]


def test_a_failure_before_it_was_ready_is_never_followed_at_once() -> None:
    assert [answer.delay for answer in decide_all(*[FAILURE._replace(ready_s=None)] * 2)] == [0.5, 1.0]


def test_when_the_restarts_are_used_up_it_rests_and_says_how_often_it_failed() -> None:
    *again, last = decide_all(*[FAILURE] * 3, spec=JOB._replace(max_restarts=2))

    assert {answer.next for answer in again} <= {Next.AGAIN, Next.LATER}
    assert last.next is Next.REST
    assert last.reason == "failed 3 times; waits for its next time; last: exit code 1"


def test_never_is_never_tried_again() -> None:
    [answer] = decide_all(FAILURE, spec=JOB._replace(restart=Restart.NEVER))

    assert answer.next is Next.REST
    assert answer.reason == "exit code 1; not tried again, as its row's restart is “never”"


def test_a_refused_job_is_parked_at_once() -> None:
    refused = EndedRun(Outcome.REFUSED, asked=False, exit_code=78, reason="no such target")

    assert decide_all(refused) == [Decision(Next.GIVE_UP, reason="no such target")]


@pytest.mark.parametrize(
    "end",
    [
        EndedRun(Outcome.ERROR, asked=False, exit_code=exit_codes.TRY_LATER),
        EndedRun(Outcome.ERROR, asked=False, exit_code=1, database_out=True),
    ],
)
def test_a_wait_for_something_else_is_not_counted(end: EndedRun) -> None:
    answers = decide_all(*[end] * 9, spec=JOB._replace(max_restarts=0))

    assert {answer.next for answer in answers} == {Next.WAIT}


def test_a_lost_session_and_a_successor_that_the_job_asks_for_are_no_failures() -> None:
    lost = EndedRun(Outcome.ERROR, asked=False, exit_code=1, ready_s=30.0, lived_s=30.0, lost_session=True)
    recycled = EndedRun(Outcome.RECYCLED, asked=True)._replace(asked=False, lived_s=30.0)

    assert {answer.next for answer in decide_all(lost, recycled, spec=JOB._replace(max_restarts=0))} == {Next.AGAIN}
