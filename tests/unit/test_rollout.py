"""A new generation reaches the jobs: who is asked to go, and when nobody is."""

from types import SimpleNamespace
from typing import Any

from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.rollout import Rollout
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.spec import JobSpec
from workerd.wire.words import State


class Setup:
    """A rollout, and what it told whom; ``bears`` says whether a forkserver is there."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Fact]] = []
        self.bears = True
        lifecycle: Any = SimpleNamespace(apply=lambda slot, fact: self.told.append((slot.name, fact)))
        self.rollout = Rollout(lifecycle, None, lambda: "" if self.bears else "the code does not load")


def running(name: str, generation: int, *, builtin: bool = False) -> LiveSlot:
    child: Any = SimpleNamespace(generation=generation, slot=None)
    return LiveSlot(JobSpec(name), 0, builtin=builtin, state=State.RUNNING, child=child)


def test_who_runs_old_code_is_asked_to_go_one_after_the_other() -> None:
    setup, ledger, slots = Setup(), running("ledger", 2, builtin=True), [running("feed", 1), running("mail", 1)]
    setup.rollout.start(ledger, slots, 2)

    setup.rollout.go_on()
    assert setup.told == [("feed", Fact.RESTART_ASKED)]
    slots[0].child = running("feed", 2).child
    setup.rollout.go_on()

    assert setup.told == [("feed", Fact.RESTART_ASKED), ("mail", Fact.RESTART_ASKED)]


def test_nobody_is_asked_to_go_while_nobody_bears_a_successor() -> None:
    setup = Setup()
    setup.rollout.start(running("ledger", 2, builtin=True), [running("feed", 1)], 2)
    setup.bears = False

    setup.rollout.go_on()
    assert setup.told == []
    assert setup.rollout.under_way
    setup.bears = True
    setup.rollout.go_on()

    assert setup.told == [("feed", Fact.RESTART_ASKED)]
