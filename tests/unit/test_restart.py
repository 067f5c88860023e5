"""The restart policy, by the design's section on restarts, sentence by sentence."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.daemon.rules.facts import Next
from workerd.daemon.rules.restart import JITTER, LOST_SESSIONS, Decision, EndedRun, FailureHistory, decide
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, Restart


class NoJitter(Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


JOB = JobSpec("feed")
CRASH = EndedRun(Outcome.CRASHED, asked=False, ready_s=3.0, reason="killed by SIGSEGV")
EARLY_CRASH = EndedRun(Outcome.CRASHED, asked=False)
FINISH = EndedRun(Outcome.FINISHED, asked=False, exit_code=0, ready_s=3.0)
EARLY_FINISH = EndedRun(Outcome.FINISHED, asked=False, exit_code=0)
LATER = EndedRun(Outcome.ERROR, asked=False, exit_code=75)
ASKED = EndedRun(Outcome.STOPPED, asked=True, exit_code=0, ready_s=3.0)
REFUSED = EndedRun(Outcome.REFUSED, asked=False, exit_code=78, reason="shop.jobs.nope does not exist")


def decide_all(exits: list[EndedRun], spec: JobSpec = JOB, apart_s: float = 0.0) -> list[Decision]:
    history = FailureHistory()
    return [decide(spec, history, end, moment * apart_s, NoJitter()) for moment, end in enumerate(exits)]


def delays(exits: list[EndedRun], spec: JobSpec = JOB) -> list[float]:
    return [decision.delay for decision in decide_all(exits, spec)]


def test_the_first_failure_after_a_healthy_life_is_followed_at_once() -> None:
    assert decide_all([CRASH]) == [Decision(Next.AGAIN, 0.0, "killed by SIGSEGV")]


def test_delays_double_from_half_a_second_to_a_minute_and_stay_there() -> None:
    assert delays([CRASH] * 11) == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_exit_before_ready_is_never_followed_at_once() -> None:
    assert delays([EARLY_CRASH] * 3) == [0.5, 1, 2]


def test_exit_zero_before_ready_backs_off_as_well() -> None:
    assert [decision.next for decision in decide_all([EARLY_FINISH] * 2)] == [Next.LATER, Next.LATER]
    assert delays([EARLY_FINISH] * 3) == [0.5, 1, 2]


def test_exit_zero_after_ready_is_followed_at_once_and_counts_nothing() -> None:
    assert decide_all([FINISH] * 20) == [Decision(Next.AGAIN)] * 20


def test_a_life_of_backoff_max_forgets_the_failures_before_it() -> None:
    healthy = EndedRun(Outcome.CRASHED, asked=False, ready_s=60.0)

    assert delays([CRASH, CRASH, CRASH, healthy, CRASH]) == [0, 0.5, 1, 0, 0.5]


def test_a_shorter_life_forgets_nothing() -> None:
    short = EndedRun(Outcome.CRASHED, asked=False, ready_s=59.9)

    assert delays([CRASH, CRASH, short]) == [0, 0.5, 1]


@pytest.mark.parametrize("end", [CRASH, EARLY_CRASH, EARLY_FINISH, LATER])
def test_backoff_initial_zero_means_always_at_once(end: EndedRun) -> None:
    assert delays([end] * 12, JobSpec("feed", backoff_initial=0.0)) == [0.0] * 12


@settings(max_examples=examples(20))
@given(st.lists(st.sampled_from([CRASH, EARLY_CRASH, EARLY_FINISH, LATER]), max_size=60), st.randoms())
def test_jitter_spreads_a_delay_by_a_tenth_and_no_more(exits: list[EndedRun], random: Random) -> None:
    plain, spread = FailureHistory(), FailureHistory()
    for end in exits:
        middle = decide(JOB, plain, end, 0.0, NoJitter()).delay
        delay = decide(JOB, spread, end, 0.0, random).delay

        assert middle * (1 - JITTER) <= delay <= middle * (1 + JITTER)


def test_by_default_failures_go_on_at_the_cap_for_ever() -> None:
    assert {decision.next for decision in decide_all([EARLY_CRASH] * 500)} == {Next.LATER}


def test_more_failures_than_max_restarts_within_the_window_park() -> None:
    spec = JobSpec("feed", max_restarts=2, restart_window=600)
    decisions = decide_all([CRASH] * 3, spec, apart_s=10)

    assert [decision.next for decision in decisions] == [Next.AGAIN, Next.LATER, Next.GIVE_UP]
    assert decisions[-1].reason == "gave up after 3 failures within 10 min; last: killed by SIGSEGV"


def test_failures_that_are_further_apart_than_the_window_never_park() -> None:
    spec = JobSpec("feed", max_restarts=2, restart_window=15)

    assert Next.GIVE_UP not in {decision.next for decision in decide_all([CRASH] * 50, spec, apart_s=10)}


def test_max_restarts_zero_parks_at_the_first_failure() -> None:
    assert decide_all([CRASH], JobSpec("feed", max_restarts=0))[0].next is Next.GIVE_UP


@pytest.mark.parametrize("end", [ASKED, EndedRun(Outcome.RECYCLED, asked=False, exit_code=0, ready_s=1.0), LATER])
def test_what_was_asked_for_and_what_waits_never_counts(end: EndedRun) -> None:
    spec = JobSpec("feed", max_restarts=0)

    assert Next.GIVE_UP not in {decision.next for decision in decide_all([end] * 20, spec)}


def test_a_stop_that_was_asked_for_is_followed_at_once_where_it_is_wanted_again() -> None:
    assert decide_all([ASKED] * 3) == [Decision(Next.AGAIN)] * 3


def test_exit_75_waits_and_leaves_the_failures_alone() -> None:
    decisions = decide_all([LATER, LATER, CRASH])

    assert [decision.next for decision in decisions] == [Next.WAIT, Next.WAIT, Next.AGAIN]
    assert [decision.delay for decision in decisions] == [0.5, 1.0, 0.0]


def test_a_database_that_is_out_is_waited_for() -> None:
    out = EndedRun(Outcome.ERROR, asked=False, exit_code=1, database_out=True)

    assert decide_all([out], JobSpec("feed", max_restarts=0)) == [
        Decision(Next.WAIT, 0.5, "the database is unreachable")
    ]


LOST = EndedRun(Outcome.ERROR, asked=False, exit_code=1, ready_s=3.0, lost_session=True)


def test_sessions_that_a_database_ends_are_forgiven_within_a_bound() -> None:
    decisions = decide_all([LOST] * (LOST_SESSIONS + 1), JobSpec("feed", max_restarts=0))

    assert [decision.next for decision in decisions] == [*[Next.AGAIN] * LOST_SESSIONS, Next.GIVE_UP]
    assert {decision.delay for decision in decisions} == {0.0}


def test_sessions_that_are_lost_now_and_then_are_always_forgiven() -> None:
    decisions = decide_all([LOST] * 50, JobSpec("feed", max_restarts=0, restart_window=10), apart_s=3)

    assert {decision.next for decision in decisions} == {Next.AGAIN}


def test_a_session_lost_before_the_job_was_ready_counts() -> None:
    assert decide_all([LOST._replace(ready_s=None)], JobSpec("feed", max_restarts=0))[0].next is Next.GIVE_UP


@pytest.mark.parametrize("restart", Restart)
def test_exit_78_parks_at_once_with_its_reason(restart: Restart) -> None:
    assert decide_all([REFUSED], JobSpec("feed", restart=restart)) == [
        Decision(Next.GIVE_UP, reason="shop.jobs.nope does not exist")
    ]


@pytest.mark.parametrize(
    ("restart", "end", "expected"),
    [
        (Restart.NEVER, CRASH, Next.LEAVE),
        (Restart.NEVER, FINISH, Next.LEAVE),
        (Restart.NEVER, ASKED, Next.AGAIN),
        (Restart.ON_FAILURE, FINISH, Next.LEAVE),
        (Restart.ON_FAILURE, EARLY_FINISH, Next.LEAVE),
        (Restart.ON_FAILURE, CRASH, Next.AGAIN),
        (Restart.ALWAYS, FINISH, Next.AGAIN),
    ],
)
def test_the_row_says_what_is_left_alone(restart: Restart, end: EndedRun, expected: Next) -> None:
    assert decide_all([end], JobSpec("feed", restart=restart))[0].next is expected


def test_whoever_is_forgiven_begins_as_new() -> None:
    history = FailureHistory()
    for _ in range(5):
        decide(JOB, history, CRASH, 0.0, NoJitter())
    history.forgive()

    assert decide(JOB, history, CRASH, 0.0, NoJitter()).next is Next.AGAIN


def test_a_slot_remembers_no_more_failures_than_can_park_it() -> None:
    history = FailureHistory()
    for moment in range(2000):
        decide(JOB, history, CRASH, moment, NoJitter())
    without_limit = len(history.failed_at)
    for moment in range(2000):
        decide(JobSpec("feed", max_restarts=3), history, CRASH, moment, NoJitter())

    assert (without_limit, len(history.failed_at)) == (0, 4)


QUICK = EndedRun(Outcome.FINISHED, asked=False, exit_code=0, ready_s=0.1, lived_s=0.1, reason="exit code 0")


def test_an_exit_0_too_soon_after_the_start_is_not_followed_at_once() -> None:
    """A second from start to start, then the backoff: 0.1 s of life would be a million runs a day."""
    decisions = decide_all([QUICK] * 5)

    assert [round(decision.delay, 3) for decision in decisions] == [0.9, 0.9, 1.0, 2.0, 4.0]
    assert {decision.next for decision in decisions} == {Next.LATER}
    assert decisions[0].reason == "exit code 0, 0.1 s after its start"


def test_an_exit_0_too_soon_after_the_start_counts() -> None:
    decisions = decide_all([QUICK] * 3, JobSpec("feed", max_restarts=2), apart_s=10)

    assert decisions[-1] == Decision(
        Next.GIVE_UP,
        reason="gave up after 3 failures within 10 min; last: exit code 0, 0.1 s after its start",
    )


def test_a_job_that_asks_to_be_replaced_at_once_is_replaced_once_a_second_and_never_parked() -> None:
    recycled = QUICK._replace(outcome=Outcome.RECYCLED)

    assert {round(decision.delay, 3) for decision in decide_all([recycled] * 20, JobSpec("f", max_restarts=0))} == {0.9}


@pytest.mark.parametrize("end", [LATER, EndedRun(Outcome.ERROR, asked=False, database_out=True)])
def test_what_waits_does_not_spin_even_without_backoff(end: EndedRun) -> None:
    spec = JobSpec("feed", backoff_initial=0.0)

    assert delays([end._replace(lived_s=0.25)] * 3, spec) == [0.75] * 3


def test_a_tiny_backoff_max_does_not_forgive_what_lived_for_less_than_a_second() -> None:
    assert delays([CRASH._replace(ready_s=0.2)] * 3, JobSpec("feed", backoff_initial=0.1, backoff_max=0.2))[1:] == [
        0.1,
        0.2,
    ]


exits = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(Outcome),
        "asked": st.booleans(),
        "exit_code": st.sampled_from([None, 0, 1, 75, 78]),
        "ready_s": st.none() | st.floats(0, 1e6),
        "database_out": st.booleans(),
    }
).map(lambda values: EndedRun(**values))
specs = st.fixed_dictionaries(
    {
        "restart": st.sampled_from(Restart),
        "backoff_initial": st.floats(0, 1e4),
        "backoff_max": st.floats(0, 1e5),
        "max_restarts": st.none() | st.integers(0, 5),
        "restart_window": st.floats(0, 1e4),
    }
).map(lambda values: JobSpec("feed", **values))


@settings(max_examples=examples(30))
@given(specs, st.lists(st.tuples(exits, st.floats(0, 1e5)), max_size=30))
def test_no_budget_falls_below_zero_and_no_delay_exceeds_its_cap(
    spec: JobSpec, story: list[tuple[EndedRun, float]]
) -> None:
    history, now = FailureHistory(), 0.0
    for end, gap in story:
        now += gap
        decision = decide(spec, history, end, now, Random(1))

        assert history.failures >= 0
        assert history.waits >= 0
        assert 0.0 <= decision.delay <= spec.backoff_max * (1 + JITTER)
