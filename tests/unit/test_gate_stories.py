"""Rows in any order of start, and any fate of theirs: nobody starts too early, and nobody waits for ever."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.node import Node, orders_of
from tests.harness.properties import examples
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.waiting import explain
from workerd.wire.messages import BecameReady, JobChanged, JobRemoved, JobsListed, Loaded
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, Restart, State

NAMES = ("a", "b", "c", "d", "e")
LIMIT_S = 3.0
STEP_S = 0.5
FATES = ("crashes", "hangs", "runs", "finishes", "fails")
"""What becomes of each process of a job; one that crashes does so while it loads, one that fails once it has run."""


def rows(name: str) -> st.SearchStrategy[JobSpec]:
    others = [other for other in (*NAMES, "gone") if other != name]
    values: dict[str, st.SearchStrategy[Any]] = {
        "name": st.just(name),
        "starts_after": st.lists(st.sampled_from(others), max_size=3, unique=True),
        "enabled": st.sampled_from((True, True, True, True, True, False)),
        "processes": st.sampled_from((1, 1, 1, 1, 2, 0)),
        "schedule": st.sampled_from(("", "", "", "", "", "@yearly")),
        "time_zone": st.just("UTC"),
        "restart": st.sampled_from((Restart.ON_FAILURE.value, Restart.ON_FAILURE.value, Restart.NEVER.value)),
        "max_restarts": st.sampled_from((None, None, None, 0)),
        "backoff_initial": st.sampled_from((0.0, 1.0)),
        "start_timeout": st.just(LIMIT_S),
        "start_grace": st.just(0.0),
        "stop_timeout": st.just(1.0),
    }
    return st.fixed_dictionaries(values).map(lambda drawn: JobSpec(**drawn))


CHANGES = st.one_of(
    st.tuples(st.sampled_from(("start", "stop", "restart")), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(("start", "stop")), st.just("")),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just("edit"), rows(name))),
    st.tuples(st.just("nothing"), st.just("")),
)


class Story:
    """A daemon from its start on, whose jobs meet their fates."""

    def __init__(self, folder: str, fates: dict[str, str]) -> None:
        self.node = Node(Path(folder))
        self.fates = fates
        self.named: set[str] = set()
        """The jobs that an operator has named in an order."""
        self.done: set[str] = set()
        """The jobs that have run, or finished."""
        self.too_early: list[str] = []
        self.node.start()
        parts = self.node.parts
        parts.lifecycle.on_entered.add(self._entered)
        self.orders = orders_of(parts)

    def _entered(self, slot: LiveSlot) -> None:
        finished = slot.state is State.DONE and slot.outcome is Outcome.FINISHED
        if slot.state is State.RUNNING or finished:
            self.done.add(slot.spec.name)
        first = slot.state is State.STARTING and slot.first_start == slot.since
        if first and not slot.builtin and slot.spec.name not in self.named:
            excused = self.done | self.ignored(slot.spec.name)
            self.too_early += [f"{slot.name} before {name}" for name in slot.spec.starts_after if name not in excused]

    def ignored(self, job: str) -> set[str]:
        return {event["starts_after"] for event in self.node.lines.of("job.order_ignored") if event["job"] == job}

    def change(self, what: str, of: Any) -> None:
        if what in {"start", "stop", "restart"}:
            if what != "stop":
                self.named.add(of)
            self.orders.carry_out(what, [of] if of else [], lambda _: None, wait=False)
        elif what == "delete":
            self.node.tell(JobRemoved(of), JobsListed(0))
        elif what == "edit":
            self.node.tell(JobChanged(of.to_dict()), JobsListed(1))
        self.node.turn()

    def step(self) -> None:
        """Have a moment pass, and each process meet its fate."""
        node = self.node
        node.bear()
        for slot in tuple(node.parts.slot_set.job_slots()):
            if slot.child is not None and slot.child.licensed_at is not None:
                self._meet(slot, self.fates[slot.spec.name])
        node.pass_time(STEP_S)

    def _meet(self, slot: LiveSlot, fate: str) -> None:
        if slot.is_stopping:
            self.node.end_child(slot, signal=15)
        elif fate == "crashes":
            self.node.end_child(slot, code=1)
        elif fate != "hangs" and slot.is_starting:
            self.node.child_in(slot).say(Loaded())
            if fate != "finishes":
                self.node.child_in(slot).say(BecameReady())
            self.node.turn()
            if fate != "runs":
                self.node.end_child(slot, code=0 if fate == "finishes" else 1)

    def waiting(self) -> list[LiveSlot]:
        """Return those that are to start and have not yet."""
        slots = self.node.parts.slot_set.job_slots()
        return [slot for slot in slots if slot.wanted and slot.first_start is None and not slot.is_resting]

    def unexplained(self) -> list[str]:
        return [slot.name for slot in self.waiting() if not explain(slot)]


@given(
    st.fixed_dictionaries({name: rows(name) for name in NAMES}),
    st.fixed_dictionaries({name: st.sampled_from(FATES) for name in NAMES}),
    st.lists(CHANGES, max_size=3),
)
@settings(max_examples=examples(60))
def test_nobody_starts_too_early_and_nobody_waits_for_ever(
    specs: dict[str, JobSpec], fates: dict[str, str], changes: list[tuple[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(folder, fates)
        try:
            story.node.tell(*(JobChanged(spec.to_dict()) for spec in specs.values()), JobsListed(len(specs)))
            for change in changes:
                story.step()
                story.change(*change)
                assert story.unexplained() == []
            steps = (len(NAMES) + 1) * (LIMIT_S + 2) / STEP_S
            while story.waiting() and steps > 0:
                story.step()
                steps -= 1

            assert story.too_early == []
            assert [(slot.name, explain(slot)) for slot in story.waiting()] == []
        finally:
            story.node.close()
