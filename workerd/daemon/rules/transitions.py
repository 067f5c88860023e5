"""The life of a slot: one total table of (state, fact) -> rule, and the pure step that reads it.

Every pair is listed. What leaving or entering a state always brings with it stands in LEAVING and ENTERING. A deadline
belongs to its state: the lifecycle cancels it when the state changes.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from workerd.wire.words import State

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


class Step(NamedTuple):
    """Where the slot goes, and what is to be done."""

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


def _begin_afresh(_: State, __: Situation) -> Step:
    return Step(State.WAITING, (Effect.FORGIVE, Effect.QUEUE))


def _resume(_: State, __: Situation) -> Step:
    return Step(State.WAITING, (Effect.SAY_RESUMED, Effect.FORGIVE, Effect.QUEUE))


def _bear_or_park(_: State, now: Situation) -> Step:
    return Step(State.PARKED) if now.refused else Step(State.STARTING, (Effect.BEAR,))


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
    return _replace(_, now) if now.restarting else Step(State.STARTING)


def _edit_running(_: State, now: Situation) -> Step:
    return _ask_to_go(_, now) if now.restarting else Step(State.RUNNING)


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


def _gone(_: State, now: Situation) -> Step:
    if not now.wanted:
        return Step(State.STOPPED)
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
    },
    State.WAITING: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: _queue_up,
        Fact.TURN_CAME: _bear_or_park,
        Fact.SPEC_CHANGED: _begin_afresh,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: _begin_afresh,
        Fact.RESUMED: _begin_afresh,
    },
    State.STARTING: {
        Fact.BORN: _go(State.STARTING, Effect.LICENSE, Effect.ARM_START),
        Fact.BIRTH_FAILED: _go(State.STARTING, Effect.BEAR),
        Fact.LOADED: _loaded,
        Fact.BECAME_READY: _go(State.RUNNING),
        Fact.EXITED: _gone,
        Fact.DEADLINE_PASSED: _overdue,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _edit_starting,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _take_back,
        Fact.START_ASKED: IGNORED,
        Fact.RESTART_ASKED: _start_over,
        Fact.RESUMED: IGNORED,
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
    },
    State.BACKOFF: {
        Fact.BORN: IMPOSSIBLE,
        Fact.BIRTH_FAILED: IMPOSSIBLE,
        Fact.LOADED: IMPOSSIBLE,
        Fact.BECAME_READY: IMPOSSIBLE,
        Fact.EXITED: IMPOSSIBLE,
        Fact.DEADLINE_PASSED: _queue_up,
        Fact.TURN_CAME: IMPOSSIBLE,
        Fact.SPEC_CHANGED: _begin_afresh,
        Fact.WANTED_UP: IGNORED,
        Fact.WANTED_DOWN: _go(State.STOPPED),
        Fact.START_ASKED: _begin_afresh,
        Fact.RESTART_ASKED: _begin_afresh,
        Fact.RESUMED: _begin_afresh,
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
    },
}


LEAVING: Mapping[State, tuple[Effect, ...]] = {
    State.STARTING: (Effect.LEAVE_LINE, Effect.NOTE_STARTED),
}
ENTERING: Mapping[State, tuple[Effect, ...]] = {
    State.STOPPED: (Effect.LEAVE_LINE,),
    State.RUNNING: (Effect.SAY_READY,),
    State.DONE: (Effect.EXPLAIN,),
    State.PARKED: (Effect.LEAVE_LINE, Effect.NOTE_STARTED, Effect.EXPLAIN, Effect.SAY_PARKED),
}


def step(state: State, fact: Fact, now: Situation) -> Step:
    """Return where ``fact`` takes a slot in ``state``, and what is to be done, in order."""
    after = TABLE[state][fact](state, now)
    if after.state is state:
        return after
    return Step(after.state, (*LEAVING.get(state, ()), *ENTERING.get(after.state, ()), *after.effects))
