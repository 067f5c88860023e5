"""The table of a slot's life: total, and true to the design, state by state."""

import functools
import itertools
from collections.abc import Iterator

import pytest

from workerd.daemon.rules.facts import Effect, Fact, Next
from workerd.daemon.rules.transitions import ENTERING, IGNORED, IMPOSSIBLE, LEAVING, TABLE, Situation, Step, step
from workerd.wire.words import Overlap, State

PRODUCT = list(itertools.product(State, Fact))
CHILDLESS = [State.STOPPED, State.WAITING, State.BACKOFF, State.DONE, State.PARKED]
FLAGS = ("wanted", "born", "hung", "dumped", "asked", "killed", "signals_ready", "restarting", "refused")
OF_SCHEDULES = ("wanted", "born", "restarting", "refused", "over", "taken", "remembered", "late", "rescheduled")


def situations() -> Iterator[Situation]:
    """What a rule may look at: of rows that run always in every combination, of schedules with what bears on them."""
    for flags in itertools.product([False, True], repeat=len(FLAGS)):
        for next_ in Next:
            yield Situation(next=next_, **dict(zip(FLAGS, flags, strict=True)))  # type: ignore[arg-type]
    for flags in itertools.product([False, True], repeat=len(OF_SCHEDULES)):
        now = Situation(scheduled=True, **dict(zip(OF_SCHEDULES, flags, strict=True)))  # type: ignore[arg-type]
        if now.remembered and not now.taken:
            continue  # it waits for the run of what was taken
        yield from (now._replace(overlap=overlap) for overlap in Overlap)
        yield from (now._replace(next=next_) for next_ in Next if next_ is not Next.AGAIN)


@functools.cache
def answers() -> list[tuple[State, Fact, Situation, Step]]:
    """The whole product, stepped."""
    return [
        (state, fact, now, step(state, fact, now))
        for now in situations()
        for state, fact in PRODUCT
        if now.next is Next.AGAIN or fact is Fact.EXITED
    ]


def situation(**now: object) -> Situation:
    return Situation(**{"wanted": True, **now})  # type: ignore[arg-type]


def after(state: State, fact: Fact, **now: object) -> Step:
    """Return what the table says, without what leaving and entering a state always bring."""
    return TABLE[state][fact](state, situation(**now))


def test_every_pair_of_state_and_fact_is_listed() -> None:
    assert {(state, fact) for state, rules in TABLE.items() for fact in rules} == set(PRODUCT)


def test_every_pair_has_an_answer_in_every_situation() -> None:
    assert {type(answer) for *_, answer in answers()} == {Step}
    assert {answer.state for *_, answer in answers()} == set(State)


@pytest.mark.parametrize(("state", "fact"), [pair for pair in PRODUCT if TABLE[pair[0]][pair[1]] is IMPOSSIBLE])
def test_an_impossible_fact_is_reported_and_changes_nothing(state: State, fact: Fact) -> None:
    assert after(state, fact) == Step(state, (Effect.REPORT_IMPOSSIBLE,))


@pytest.mark.parametrize(("state", "fact"), [pair for pair in PRODUCT if TABLE[pair[0]][pair[1]] is IGNORED])
def test_an_ignored_fact_changes_nothing(state: State, fact: Fact) -> None:
    assert after(state, fact) == Step(state)


def test_what_cannot_happen_is_this_and_no_more() -> None:
    """The list is the review: whoever makes a pair impossible, or possible, says so here."""
    of_children = {Fact.BORN, Fact.BIRTH_FAILED, Fact.LOADED, Fact.BECAME_READY, Fact.EXITED}
    timeless = of_children | {Fact.DEADLINE_PASSED, Fact.TURN_CAME}

    assert {state: {fact for fact, rule in rules.items() if rule is IMPOSSIBLE} for state, rules in TABLE.items()} == {
        State.STOPPED: timeless | {Fact.CAME_DUE},
        State.DONE: timeless,
        State.PARKED: timeless,
        State.BACKOFF: of_children | {Fact.TURN_CAME},
        State.WAITING: of_children,
        State.STARTING: {Fact.TURN_CAME},
        State.RUNNING: {Fact.BORN, Fact.BIRTH_FAILED, Fact.LOADED, Fact.TURN_CAME},
        State.STOPPING: {Fact.BORN, Fact.BIRTH_FAILED, Fact.TURN_CAME},
    }


def test_a_child_is_asked_for_only_on_the_way_to_starting() -> None:
    asked = {(state, fact, answer.state) for state, fact, _, answer in answers() if Effect.BEAR in answer.effects}

    assert asked == {
        (State.WAITING, Fact.TURN_CAME, State.STARTING),
        (State.STARTING, Fact.BIRTH_FAILED, State.STARTING),
        (State.STARTING, Fact.RESTART_ASKED, State.STARTING),
    }


def test_a_licence_is_given_only_to_the_newborn_of_a_starting_slot() -> None:
    given = {(state, fact) for state, fact, _, answer in answers() if Effect.LICENSE in answer.effects}

    assert given == {(State.STARTING, Fact.BORN)}


def test_whoever_leaves_a_state_with_a_child_has_seen_its_exit() -> None:
    having = {State.RUNNING, State.STOPPING}
    left = {fact for state, fact, _, answer in answers() if state in having and answer.state in CHILDLESS}

    assert left == {Fact.EXITED}


def test_a_birth_is_left_behind_only_by_its_withdrawal_or_an_exit() -> None:
    left = {
        (fact, now.born, Effect.WITHDRAW in answer.effects)
        for state, fact, now, answer in answers()
        if state is State.STARTING and answer.state in CHILDLESS and fact is not Fact.EXITED
    }

    # the second and third where the row is refused by now, the last two where what is due may not start so late
    facts = (Fact.WANTED_DOWN, Fact.RESTART_ASKED, Fact.SPEC_CHANGED, Fact.DEADLINE_PASSED, Fact.NEXT_CHANGED)
    assert left == {(fact, False, True) for fact in facts}


def test_no_signal_is_sent_from_a_state_without_a_child() -> None:
    sent = {effect for state, _, _, answer in answers() if state in CHILDLESS for effect in answer.effects}

    assert not {Effect.TERMINATE, Effect.KILL, Effect.DUMP, Effect.LICENSE} & sent


def test_the_end_of_a_lease_kills_every_child_whatever_it_was_allowed() -> None:
    told = [(state, now, answer) for state, fact, now, answer in answers() if fact is Fact.LEASE_ENDED]
    living = [
        (now, answer)
        for state, now, answer in told
        if state not in CHILDLESS and (now.born or state is not State.STARTING)
    ]

    assert {answer.state for _, answer in living} == {State.STOPPING}
    assert all(now.killed or {Effect.KILL, Effect.ARM_KILL} <= set(answer.effects) for now, answer in living)
    assert {state for state, now, answer in told if now.killed and answer == Step(state)} == {
        *CHILDLESS,
        State.STARTING,
        State.STOPPING,
    }


def test_the_end_of_a_lease_means_nothing_to_a_slot_without_a_child() -> None:
    answers_ = [(state, answer) for state, fact, now, answer in answers() if fact is Fact.LEASE_ENDED and not now.born]
    childless = [(state, answer) for state, answer in answers_ if state in {*CHILDLESS, State.STARTING}]

    assert all(answer == Step(state) for state, answer in childless)


@pytest.mark.parametrize("state", CHILDLESS)
def test_a_slot_without_a_child_stops_at_once_when_it_is_not_wanted(state: State) -> None:
    assert after(state, Fact.WANTED_DOWN, wanted=False) == Step(State.STOPPED)


@pytest.mark.parametrize(
    ("next_", "expected"),
    [
        (Next.AGAIN, Step(State.WAITING, (Effect.QUEUE,))),
        (Next.LATER, Step(State.BACKOFF, (Effect.ARM_DELAY,))),
        (Next.WAIT, Step(State.WAITING, (Effect.ARM_DELAY,))),
        (Next.LEAVE, Step(State.DONE)),
        (Next.GIVE_UP, Step(State.PARKED)),
    ],
)
@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING])
def test_an_exit_goes_where_the_restart_policy_says(state: State, next_: Next, expected: Step) -> None:
    assert after(state, Fact.EXITED, next=next_) == expected


@pytest.mark.parametrize("next_", Next)
@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING])
def test_an_exit_of_what_is_not_wanted_ends_in_stopped_whatever_the_policy_says(state: State, next_: Next) -> None:
    assert after(state, Fact.EXITED, wanted=False, next=next_) == Step(State.STOPPED)


def test_stopping_goes_from_asking_to_stacks_to_kill_to_a_report() -> None:
    deadline, stopping = Fact.DEADLINE_PASSED, State.STOPPING

    assert [
        after(stopping, deadline).effects,
        after(stopping, deadline, asked=True).effects,
        after(stopping, deadline, asked=True, dumped=True).effects,
        after(stopping, deadline, asked=True, dumped=True, killed=True).effects,
    ] == [
        (Effect.TERMINATE, Effect.ARM_STOP),
        (Effect.DUMP,),
        (Effect.KILL, Effect.ARM_KILL),
        (Effect.REPORT_UNKILLABLE,),
    ]


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
def test_a_hung_child_shows_its_stacks_before_it_is_asked_to_go(state: State) -> None:
    assert after(state, Fact.DEADLINE_PASSED, hung=True) == Step(State.STOPPING, (Effect.DUMP,))


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
def test_an_old_or_fat_child_is_asked_to_go_at_once(state: State) -> None:
    assert after(state, Fact.DEADLINE_PASSED, born=True) == Step(State.STOPPING, (Effect.TERMINATE, Effect.ARM_STOP))


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
def test_an_edit_replaces_a_child_only_where_it_cannot_take_it_over(state: State) -> None:
    assert after(state, Fact.SPEC_CHANGED, born=True) == Step(state)
    assert after(state, Fact.SPEC_CHANGED, born=True, restarting=True).state is State.STOPPING


def test_what_is_not_born_yet_takes_any_edit_over() -> None:
    """It gets the spec of that moment with its licence, so nothing has to be replaced."""
    assert after(State.STARTING, Fact.SPEC_CHANGED, restarting=True) == Step(State.STARTING)


def test_a_restart_of_what_is_not_born_yet_asks_for_it_anew() -> None:
    """The newest code may have come since it was asked for."""
    assert after(State.STARTING, Fact.RESTART_ASKED) == Step(State.STARTING, (Effect.WITHDRAW, Effect.BEAR))


def test_a_birth_that_is_not_wanted_any_more_is_withdrawn() -> None:
    assert after(State.STARTING, Fact.WANTED_DOWN, wanted=False) == Step(State.STOPPED, (Effect.WITHDRAW,))


@pytest.mark.parametrize("state", [State.BACKOFF, State.DONE, State.WAITING])
def test_an_edit_begins_afresh(state: State) -> None:
    assert after(state, Fact.SPEC_CHANGED) == Step(State.WAITING, (Effect.FORGIVE, Effect.QUEUE))


def test_resume_ends_a_backoff() -> None:
    assert after(State.BACKOFF, Fact.RESUMED) == Step(State.WAITING, (Effect.FORGIVE, Effect.QUEUE))


@pytest.mark.parametrize("fact", [Fact.SPEC_CHANGED, Fact.START_ASKED, Fact.RESTART_ASKED, Fact.RESUMED])
def test_what_is_parked_begins_afresh_and_says_so(fact: Fact) -> None:
    resumed = (Effect.SAY_RESUMED, Effect.FORGIVE, Effect.QUEUE)

    assert after(State.PARKED, fact) == Step(State.WAITING, resumed)


@pytest.mark.parametrize("state", [State.BACKOFF, State.DONE])
def test_a_start_does_not_wait_for_what_was_given_up_or_put_off(state: State) -> None:
    assert after(state, Fact.START_ASKED) == Step(State.WAITING, (Effect.FORGIVE, Effect.QUEUE))


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING, State.WAITING])
def test_a_start_of_what_is_on_its_way_changes_nothing(state: State) -> None:
    assert after(state, Fact.START_ASKED) == Step(state)


def test_a_row_that_cannot_run_parks_at_its_turn_and_nothing_is_born() -> None:
    assert after(State.WAITING, Fact.TURN_CAME, refused=True) == Step(State.PARKED)


def test_a_job_that_says_itself_when_it_is_ready_gets_no_grace_timer() -> None:
    assert after(State.STARTING, Fact.LOADED) == Step(State.STARTING, (Effect.LEAVE_LINE, Effect.ARM_GRACE))
    assert after(State.STARTING, Fact.LOADED, signals_ready=True) == Step(State.STARTING, (Effect.LEAVE_LINE,))


def test_what_leaving_and_entering_bring_comes_before_what_the_rule_asks_for() -> None:
    stopped = step(State.STARTING, Fact.WANTED_DOWN, situation(wanted=False))

    assert stopped.effects == (*LEAVING[State.STARTING], *ENTERING[State.STOPPED], Effect.WITHDRAW)


def test_a_fact_that_keeps_the_state_brings_nothing_of_leaving_or_entering() -> None:
    assert step(State.STARTING, Fact.BIRTH_FAILED, situation()).effects == (Effect.BEAR,)


def test_whoever_leaves_the_line_or_its_place_says_so() -> None:
    """Only a slot that waits or starts may be in line: everything else has left it."""
    stayed = {
        (state, answer.state)
        for state, _, _, answer in answers()
        if state in {State.WAITING, State.STARTING}
        and answer.state not in {State.WAITING, State.STARTING}
        and Effect.LEAVE_LINE not in answer.effects
    }

    assert stayed == set()


# schedules

DUE = Fact.CAME_DUE
ALIVE_STATES = [State.STARTING, State.RUNNING, State.STOPPING]


def at_times(state: State, fact: Fact, **now: object) -> Step:
    return after(state, fact, scheduled=True, **now)


def test_a_due_moment_has_a_resting_slot_stand_in_line() -> None:
    assert at_times(State.WAITING, DUE) == Step(State.WAITING, (Effect.TAKE, Effect.QUEUE))


def test_a_due_moment_takes_the_place_of_one_that_could_not_start() -> None:
    instead = (Effect.SUPERSEDE, Effect.TAKE, Effect.QUEUE)

    assert at_times(State.WAITING, DUE, taken=True) == Step(State.WAITING, instead)
    assert at_times(State.BACKOFF, DUE, taken=True) == Step(State.WAITING, instead)
    anew = (Effect.SUPERSEDE, Effect.TAKE, Effect.BEAR_ANEW)
    assert {at_times(State.STARTING, DUE, taken=True, overlap=overlap).effects for overlap in Overlap} == {anew}


@pytest.mark.parametrize("state", ALIVE_STATES)
def test_skip_misses_what_comes_due_during_a_run(state: State) -> None:
    assert at_times(state, DUE, born=True, taken=True) == Step(state, (Effect.MISS,))


@pytest.mark.parametrize("state", ALIVE_STATES)
def test_queue_remembers_the_newest(state: State) -> None:
    now = {"born": True, "taken": True, "overlap": Overlap.QUEUE}

    assert at_times(state, DUE, **now).effects == (Effect.REMEMBER,)
    assert at_times(state, DUE, remembered=True, **now).effects == (Effect.SUPERSEDE_REMEMBERED, Effect.REMEMBER)


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
def test_replace_asks_the_run_to_go_and_remembers(state: State) -> None:
    asked = (Effect.REMEMBER, Effect.TERMINATE, Effect.ARM_STOP)

    assert at_times(state, DUE, born=True, taken=True, overlap=Overlap.REPLACE) == Step(State.STOPPING, asked)


def test_a_parked_slot_misses_each_due_moment() -> None:
    assert at_times(State.PARKED, DUE) == Step(State.PARKED, (Effect.MISS,))


@pytest.mark.parametrize("state", ALIVE_STATES)
def test_what_was_remembered_follows_whatever_the_policy_says(state: State) -> None:
    follow = Step(State.WAITING, (Effect.TAKE_REMEMBERED, Effect.QUEUE))

    for next_ in set(Next) - {Next.GIVE_UP}:
        assert at_times(state, Fact.EXITED, taken=True, remembered=True, next=next_) == follow
    assert at_times(state, Fact.EXITED, taken=True, remembered=True, next=Next.GIVE_UP) == Step(State.PARKED)


def test_rest_waits_for_the_next_time_or_is_done_or_parked() -> None:
    assert at_times(State.RUNNING, Fact.EXITED, next=Next.REST) == Step(State.WAITING, (Effect.AWAIT,))
    assert at_times(State.RUNNING, Fact.EXITED, next=Next.REST, over=True) == Step(State.DONE)
    assert at_times(State.RUNNING, Fact.EXITED, next=Next.REST, refused=True) == Step(State.PARKED)


@pytest.mark.parametrize("state", [State.STOPPED, State.DONE, State.PARKED])
def test_whoever_begins_afresh_rests_and_runs_nothing_now(state: State) -> None:
    fact = Fact.WANTED_UP if state is State.STOPPED else Fact.START_ASKED

    assert at_times(state, fact).state is State.WAITING
    assert at_times(state, fact).effects[-1] is Effect.AWAIT


@pytest.mark.parametrize("fact", [Fact.RESTART_ASKED, Fact.RESUMED])
def test_no_order_brings_a_due_moment_forward(fact: Fact) -> None:
    assert at_times(State.WAITING, fact) == Step(State.WAITING)


def test_no_edit_ends_a_run_for_a_due_moment() -> None:
    for state in (State.STARTING, State.RUNNING):
        assert at_times(state, Fact.SPEC_CHANGED, born=True, taken=True, restarting=True, rescheduled=True) == Step(
            state
        )


def test_an_edit_of_the_times_gives_up_what_has_not_begun() -> None:
    edit = {"taken": True, "rescheduled": True}

    assert at_times(State.WAITING, Fact.SPEC_CHANGED, **edit).effects == (Effect.CLEAR_DUES, Effect.AWAIT)
    assert at_times(State.STARTING, Fact.SPEC_CHANGED, **edit).effects == (
        Effect.WITHDRAW,
        Effect.CLEAR_DUES,
        Effect.AWAIT,
    )
    assert at_times(State.BACKOFF, Fact.SPEC_CHANGED, **edit).effects == (
        Effect.FORGIVE,
        Effect.CLEAR_DUES,
        Effect.AWAIT,
    )
    assert at_times(State.BACKOFF, Fact.SPEC_CHANGED, taken=True).effects == (Effect.FORGIVE, Effect.QUEUE)


def test_a_start_that_comes_too_late_lapses() -> None:
    assert at_times(State.WAITING, Fact.TURN_CAME, taken=True, late=True).effects == (Effect.LAPSE, Effect.AWAIT)
    assert at_times(State.STARTING, Fact.DEADLINE_PASSED, taken=True).effects == (
        Effect.WITHDRAW,
        Effect.LAPSE,
        Effect.AWAIT,
    )


def test_another_next_moment_is_waited_for_only_by_what_rests_or_is_done() -> None:
    assert at_times(State.WAITING, Fact.NEXT_CHANGED) == Step(State.WAITING, (Effect.AWAIT,))
    assert at_times(State.WAITING, Fact.NEXT_CHANGED, over=True) == Step(State.DONE)
    assert at_times(State.WAITING, Fact.NEXT_CHANGED, taken=True, over=True) == Step(State.WAITING)
    assert at_times(State.DONE, Fact.NEXT_CHANGED) == Step(State.WAITING, (Effect.AWAIT,))
    assert at_times(State.DONE, Fact.NEXT_CHANGED, over=True) == Step(State.DONE)
    assert after(State.WAITING, Fact.NEXT_CHANGED) == Step(State.WAITING)


def test_each_due_moment_is_taken_remembered_or_missed() -> None:
    """Whatever the situation, nothing of it is dropped in silence."""
    ends = {Effect.TAKE, Effect.REMEMBER, Effect.MISS}
    due = [answer for state, fact, _, answer in answers() if fact is DUE and state is not State.STOPPED]

    assert {len(ends & set(answer.effects)) for answer in due} == {1}
