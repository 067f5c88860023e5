"""The life of a slot: one total table of (state, fact) -> rule, and the pure step that reads it.

Every pair is listed. What leaving or entering a state always brings with it stands in LEAVING and ENTERING. A deadline
belongs to its state: the lifecycle cancels it when the state changes.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from workerd.wire.words import Overlap, State

from .facts import Effect, Fact, Next


class Situation(NamedTuple):
    """All that a rule may look at beside state and fact."""

    wanted: bool
    born: bool = False
    """The child's pid is known and its licence is sent."""
    hung: bool = False
    """With DEADLINE_PASSED: the child is silent, rather than old or too large."""
    dumped: bool = False
    """The child's stacks were asked for, which is done once."""
    asked: bool = False
    """The stop signal was sent to the child."""
    killed: bool = False
    """KILL was sent to the child."""
    signals_ready: bool = False
    restarting: bool = False
    """With SPEC_CHANGED: the running child cannot take the change over."""
    refused: bool = False
    """The row cannot be run as it is written."""
    next: Next = Next.AGAIN
    """With EXITED: what the restart policy wants."""
    scheduled: bool = False
    """The row runs at times, not always."""
    over: bool = False
    """The schedule has no further due moment."""
    taken: bool = False
    """The slot runs, or waits to run, for a due moment."""
    remembered: bool = False
    """Another moment came due, and waits for the present child to end."""
    late: bool = False
    """With TURN_CAME: what was taken has not been run for, and may not be started so late."""
    rescheduled: bool = False
    """With SPEC_CHANGED: the due moments are others now."""
    overlap: str = Overlap.SKIP
    """With CAME_DUE: what it does to a run that goes on."""


class Step(NamedTuple):
    """The slot's next state, and the effects to perform."""

    state: State
    effects: tuple[Effect, ...] = ()


Rule = Callable[[State, Situation], Step]


def IGNORED(state: State, _: Situation) -> Step:  # noqa: N802 - a constant of the table, not a verb
    """May happen, and means nothing here."""
    return Step(state)


def IMPOSSIBLE(state: State, _: Situation) -> Step:  # noqa: N802
    """Cannot happen: said as a fault of the daemon's own, and nothing else."""
    return Step(state, (Effect.REPORT_IMPOSSIBLE,))


def _go(state: State, *effects: Effect) -> Rule:
    step = Step(state, effects)
    return lambda *_: step


def _queue_up(_: State, __: Situation) -> Step:
    return Step(State.WAITING, (Effect.QUEUE,))


def _try_now(_: State, __: Situation) -> Step:
    return Step(State.WAITING, (Effect.FORGIVE, Effect.QUEUE))


def _begin_afresh(state: State, now: Situation) -> Step:
    return _rest(now, Effect.FORGIVE) if now.scheduled else _try_now(state, now)


def _resume(_: State, now: Situation) -> Step:
    if now.scheduled:
        return _rest(now, Effect.SAY_RESUMED, Effect.FORGIVE)
    return Step(State.WAITING, (Effect.SAY_RESUMED, Effect.FORGIVE, Effect.QUEUE))


def _bear_or_park(_: State, now: Situation) -> Step:
    if now.refused:
        return Step(State.PARKED)
    return _rest(now, Effect.LAPSE) if now.late else Step(State.STARTING, (Effect.BEAR,))


def _ask_to_go(_: State, __: Situation) -> Step:
    return Step(State.STOPPING, (Effect.TERMINATE, Effect.ARM_STOP))


def _loaded(_: State, now: Situation) -> Step:
    grace = () if now.signals_ready else (Effect.ARM_GRACE,)
    return Step(State.STARTING, (Effect.LEAVE_LINE, *grace))


def _take_back(_: State, now: Situation) -> Step:
    return _ask_to_go(_, now) if now.born else Step(State.STOPPED, (Effect.WITHDRAW,))


def _replace(_: State, now: Situation) -> Step:
    if now.born:
        return _ask_to_go(_, now)
    return Step(State.PARKED, (Effect.WITHDRAW,)) if now.refused else Step(State.STARTING)


def _start_over(_: State, now: Situation) -> Step:
    """Ask anew for a process that is not there yet: it may have been asked of code that is replaced by now."""
    if now.born or now.refused:
        return _replace(_, now)
    return Step(State.STARTING, (Effect.WITHDRAW, Effect.BEAR))


def _edit_starting(_: State, now: Situation) -> Step:
    if now.scheduled and not now.born and (now.rescheduled or not now.taken):
        return _rest(now, Effect.WITHDRAW, Effect.CLEAR_DUES)
    return _replace(_, now) if now.restarting and not (now.born and now.taken) else Step(State.STARTING)


def _edit_running(_: State, now: Situation) -> Step:
    return _ask_to_go(_, now) if now.restarting and not now.taken else Step(State.RUNNING)


def _overdue_starting(state: State, now: Situation) -> Step:
    if now.taken and not now.born:
        return _rest(now, Effect.WITHDRAW, Effect.LAPSE)
    return _overdue(state, now)


def _overdue(_: State, now: Situation) -> Step:
    if now.hung:
        return Step(State.STOPPING, (Effect.DUMP,))
    return _ask_to_go(_, now)


def _insist(_: State, now: Situation) -> Step:
    if now.killed:
        return Step(State.STOPPING, (Effect.REPORT_UNKILLABLE,))
    if not now.asked:
        return _ask_to_go(_, now)
    if not now.dumped:
        return Step(State.STOPPING, (Effect.DUMP,))
    return Step(State.STOPPING, (Effect.KILL, Effect.ARM_KILL))


def _end_now(state: State, now: Situation) -> Step:
    """Kill at once, whatever the child was allowed: nothing is pardoned where another node may have its seat."""
    is_unborn = state is State.STARTING and not now.born
    if is_unborn or (state is State.STOPPING and now.killed):
        return Step(state)
    return Step(State.STOPPING, (Effect.KILL, Effect.ARM_KILL))


# schedules


def _rest(now: Situation, *effects: Effect) -> Step:
    """Wait for the next due moment; a row that cannot run says so now, not at night."""
    if now.refused:
        return Step(State.PARKED, effects)
    return Step(State.DONE, effects) if now.over else Step(State.WAITING, (*effects, Effect.AWAIT))


def _edit_waiting(state: State, now: Situation) -> Step:
    if not (now.scheduled and now.taken):
        return _begin_afresh(state, now)
    return _rest(now, Effect.CLEAR_DUES) if now.rescheduled else Step(State.WAITING, (Effect.QUEUE,))


def _edit_backoff(state: State, now: Situation) -> Step:
    """Try again at once, as the edit may be the cure; what was due by other times is not tried again."""
    if now.scheduled and now.rescheduled:
        return _rest(now, Effect.FORGIVE, Effect.CLEAR_DUES)
    return _try_now(state, now)


def _next_waiting(state: State, now: Situation) -> Step:
    if not now.scheduled:
        return Step(state)
    if now.taken:
        return _rest(now, Effect.LAPSE) if now.late else Step(state)
    return _rest(now)


def _next_starting(state: State, now: Situation) -> Step:
    """A clock that was set forward may have made it too late for a process that is not there yet."""
    return _rest(now, Effect.WITHDRAW, Effect.LAPSE) if now.late and not now.born else Step(state)


def _next_done(state: State, now: Situation) -> Step:
    return _rest(now) if now.scheduled and not now.over else Step(state)


def _ask_waiting(state: State, now: Situation) -> Step:
    """An order to restart brings no due moment forward."""
    return Step(State.WAITING) if now.scheduled and not now.taken else _try_now(state, now)


def _due_waiting(_: State, now: Situation) -> Step:
    return Step(
        State.WAITING, (Effect.SUPERSEDE, Effect.TAKE, Effect.QUEUE) if now.taken else (Effect.TAKE, Effect.QUEUE)
    )


def _due_instead(_: State, __: Situation) -> Step:
    return Step(State.WAITING, (Effect.SUPERSEDE, Effect.TAKE, Effect.QUEUE))


def _due_starting(state: State, now: Situation) -> Step:
    """A moment that was taken and has no process yet gives way, as if it waited in line."""
    return _due_alive(state, now) if now.born else Step(state, (Effect.SUPERSEDE, Effect.TAKE, Effect.BEAR_ANEW))


def _due_alive(state: State, now: Situation) -> Step:
    if now.overlap == Overlap.SKIP and not now.remembered:  # one may have been remembered before an edit
        return Step(state, (Effect.MISS,))
    remember = (*((Effect.SUPERSEDE_REMEMBERED,) if now.remembered else ()), Effect.REMEMBER)
    if now.overlap == Overlap.REPLACE and state is not State.STOPPING:
        asked = _ask_to_go(state, now)
        return Step(asked.state, (*remember, *asked.effects))
    return Step(state, remember)


def _gone(_: State, now: Situation) -> Step:
    if not now.wanted:
        return Step(State.STOPPED)
    if now.remembered and now.next is not Next.GIVE_UP:
        return Step(State.WAITING, (Effect.TAKE_REMEMBERED, Effect.QUEUE))
    if now.next is Next.REST:
        return _rest(now)
    return {
        Next.AGAIN: Step(State.WAITING, (Effect.QUEUE,)),
        Next.LATER: Step(State.BACKOFF, (Effect.ARM_DELAY,)),
        Next.WAIT: Step(State.WAITING, (Effect.ARM_DELAY,)),
        Next.LEAVE: Step(State.DONE),
        Next.GIVE_UP: Step(State.PARKED),
    }[now.next]


TABLE: dict[State, dict[Fact, Rule]] = {
    State.STOPPED: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: IMPOSSIBLE,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: IGNORED,
        Fact.WANTED_UP: _begin_afresh,
        Fact.WANTED_DOWN: IGNORED,
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: IGNORED,
        Fact.RESUMED: IGNORED,
        Fact.CAME_DUE: IMPOSSIBLE,
        Fact.NEXT_CHANGED: IGNORED,
        Fact.LEASE_ENDED: IGNORED,
    },
    State.WAITING: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: _queue_up,
        Fact.TURN_CAME: _bear_or_park,
        Fact.SPEC_CHANGED: _edit_waiting,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: _ask_waiting,
        Fact.RESUMED: _ask_waiting,
        Fact.CAME_DUE: _due_waiting,
        Fact.NEXT_CHANGED: _next_waiting,
        Fact.LEASE_ENDED: IGNORED,
    },
    State.STARTING: {
        Fact.BORN: _go(State.STARTING, Effect.LICENSE, Effect.ARM_START),
        Fact.BIRTH_FAILED: _go(State.STARTING, Effect.BEAR),
        Fact.LOADED: _loaded,
        Fact.BECAME_READY: _go(State.RUNNING),
        Fact.EXITED: _gone,
        Fact.DEADLINE_PASSED: _overdue_starting,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _edit_starting,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _take_back,
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: _start_over,
        Fact.RESUMED: IGNORED,
        Fact.CAME_DUE: _due_starting,
        Fact.NEXT_CHANGED: _next_starting,
        Fact.LEASE_ENDED: _end_now,
    },
    State.RUNNING: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IGNORED,
        Fact.EXITED: _gone,
        Fact.DEADLINE_PASSED: _overdue,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _edit_running,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _ask_to_go,
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: _ask_to_go,
        Fact.RESUMED: IGNORED,
        Fact.CAME_DUE: _due_alive,
        Fact.NEXT_CHANGED: IGNORED,
        Fact.LEASE_ENDED: _end_now,
    },
    State.STOPPING: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IGNORED,
        Fact.BECAME_READY: IGNORED,
        Fact.EXITED: _gone,
        Fact.DEADLINE_PASSED: _insist,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: IGNORED,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: IGNORED,
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: IGNORED,
        Fact.RESUMED: IGNORED,
        Fact.CAME_DUE: _due_alive,
        Fact.NEXT_CHANGED: IGNORED,
        Fact.LEASE_ENDED: _end_now,
    },
    State.BACKOFF: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: _queue_up,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _edit_backoff,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: _try_now,
        Fact.RESTART_ASKED: _try_now,
        Fact.RESUMED: _try_now,
        Fact.CAME_DUE: _due_instead,
        Fact.NEXT_CHANGED: IGNORED,
        Fact.LEASE_ENDED: IGNORED,
    },
    State.DONE: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: IMPOSSIBLE,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _begin_afresh,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: _begin_afresh,
        Fact.RESTART_ASKED: _begin_afresh,
        Fact.RESUMED: IGNORED,
        Fact.CAME_DUE: _due_instead,
        Fact.NEXT_CHANGED: _next_done,
        Fact.LEASE_ENDED: IGNORED,
    },
    State.PARKED: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: IMPOSSIBLE,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _resume,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: _resume,
        Fact.RESTART_ASKED: _resume,
        Fact.RESUMED: _resume,
        Fact.CAME_DUE: _go(State.PARKED, Effect.MISS),
        Fact.NEXT_CHANGED: IGNORED,
        Fact.LEASE_ENDED: IGNORED,
    },
}


LEAVING: Mapping[State, tuple[Effect, ...]] = {
    State.STARTING: (Effect.LEAVE_LINE, Effect.NOTE_STARTED),
}
ENTERING: Mapping[State, tuple[Effect, ...]] = {
    State.STOPPED: (Effect.LEAVE_LINE, Effect.CLEAR_DUES),
    State.RUNNING: (Effect.SAY_READY,),
    State.DONE: (Effect.LEAVE_LINE, Effect.NOTE_STARTED, Effect.CLEAR_DUES, Effect.EXPLAIN),
    State.PARKED: (Effect.LEAVE_LINE, Effect.NOTE_STARTED, Effect.EXPLAIN, Effect.SAY_PARKED, Effect.CLEAR_DUES),
}


def step(state: State, fact: Fact, now: Situation) -> Step:
    """Return where ``fact`` takes a slot in ``state``, and what is to be done, in order."""
    after = TABLE[state][fact](state, now)
    if after.state is state:
        return after
    return Step(after.state, (*LEAVING.get(state, ()), *ENTERING.get(after.state, ()), *after.effects))
