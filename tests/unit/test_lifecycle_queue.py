"""Facts are taken one after another: what one causes waits until it is done, and every state is announced once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.spec import JobSpec
from workerd.wire.words import State


class Setup:
    """A lifecycle whose effects are written down; some also cause a fact, as those of the daemon do."""

    def __init__(self, loop: Loop) -> None:
        log, self.lines = recording_log()
        self.loop = loop
        self.lifecycle = Lifecycle(loop, log)
        self.done: list[tuple[str, Effect]] = []
        self.entered: list[tuple[str, State]] = []
        for effect in Effect:
            self.lifecycle.effects[effect] = self._noting(effect)
        self.causing(Effect.QUEUE, lambda slot: self.lifecycle.apply(slot, Fact.TURN_CAME))
        self.lifecycle.on_entered.add(lambda slot: self.entered.append((slot.name, slot.state)))

    def _noting(self, effect: Effect) -> Callable[[LiveSlot], None]:
        return lambda slot: self.done.append((slot.name, effect))

    def causing(self, effect: Effect, cause: Callable[[LiveSlot], Any]) -> None:
        """Have ``effect`` do ``cause`` too."""
        note = self._noting(effect)
        self.lifecycle.effects[effect] = lambda slot: (note(slot), cause(slot))[0]


@pytest.fixture
def setup() -> Setup:
    return Setup(loop_of(FakeClock()))


def test_each_state_on_the_way_is_announced_once(setup: Setup) -> None:
    """A turn that comes at once and a spare that is at hand: WAITING was never seen by anybody once."""
    slot = LiveSlot(JobSpec("feed"), 0)
    setup.causing(Effect.BEAR, lambda slot: setup.lifecycle.apply(slot, Fact.BORN))
    setup.lifecycle.want(slot, True)
    setup.lifecycle.apply(slot, Fact.BECAME_READY)

    assert setup.entered == [("feed", State.WAITING), ("feed", State.STARTING), ("feed", State.RUNNING)]


def test_a_fact_that_an_effect_causes_waits_until_every_effect_is_done(setup: Setup) -> None:
    slot = LiveSlot(JobSpec("feed"), 0, wanted=True, state=State.BACKOFF)
    setup.lifecycle.apply(slot, Fact.RESTART_ASKED)

    assert [effect for _, effect in setup.done] == [Effect.FORGIVE, Effect.QUEUE, Effect.BEAR]


def test_what_an_effect_causes_comes_before_what_a_listener_tells(setup: Setup) -> None:
    """A slot whose turn has come is not told to stop before it has heard of its turn."""
    parked, stopped, next_in_line = (LiveSlot(JobSpec(name), 0, wanted=True) for name in ("feed", "mail", "news"))
    for slot in (parked, stopped, next_in_line):
        slot.state = State.WAITING
    setup.lifecycle.problems["feed"] = "no such target"

    def give_turn(leaving: LiveSlot) -> None:
        if leaving is stopped:
            setup.lifecycle.apply(next_in_line, Fact.TURN_CAME)

    def stop_the_rest(entering: LiveSlot) -> None:
        if entering is parked:
            setup.lifecycle.want(stopped, False)
            setup.lifecycle.want(next_in_line, False)

    setup.causing(Effect.LEAVE_LINE, give_turn)
    setup.lifecycle.on_entered.add(stop_the_rest)
    setup.lifecycle.apply(parked, Fact.TURN_CAME)

    assert [state for name, state in setup.entered if name == "news"] == [State.STARTING, State.STOPPED]
    assert setup.lines.of("daemon.degraded") == []


def test_an_effect_that_fails_does_not_hold_up_the_facts_of_others(setup: Setup) -> None:
    slot, other = LiveSlot(JobSpec("feed"), 0), LiveSlot(JobSpec("mail"), 0)

    def fail(_: LiveSlot) -> None:
        setup.lifecycle.apply(other, Fact.WANTED_UP)
        raise OSError("no descriptors")

    setup.lifecycle.effects[Effect.FORGIVE] = lambda slot: fail(slot) if slot.name == "feed" else None
    with pytest.raises(OSError, match="no descriptors"):
        setup.lifecycle.want(slot, True)
    other.wanted = True
    turn(setup.loop)

    assert other.state is State.STARTING


def test_a_reason_that_is_given_within_a_step_is_announced_with_it(setup: Setup) -> None:
    slot, changes = LiveSlot(JobSpec("feed"), 0), []
    setup.causing(Effect.BEAR, lambda slot: setup.lifecycle.explain(slot, "no process can be started"))
    setup.lifecycle.on_changed.add(lambda slot: changes.append((slot.state, slot.reason)))
    setup.lifecycle.want(slot, True)

    assert changes == [(State.WAITING, ""), (State.STARTING, "no process can be started")]


def test_a_fact_that_cannot_happen_is_said_and_changes_nothing(setup: Setup) -> None:
    slot = LiveSlot(JobSpec("feed"), 0)
    setup.lifecycle.apply(slot, Fact.LOADED)

    assert slot.state is State.STOPPED
    assert setup.done == []
    assert setup.lines.of("daemon.degraded") == [
        {"job": "feed", "slot": "feed", "reason": "internal error, please report it: LOADED cannot happen in STOPPED"}
    ]
