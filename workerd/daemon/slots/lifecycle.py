"""The lives of slots: every fact goes through the table here, and whatever it asks for is done in the order it says."""

from collections.abc import Callable, Mapping

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.rules.transitions import Situation, step
from workerd.wire.words import State

from .pacing import Pacing
from .slot import LiveSlot

ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""The states in which a slot may have a child."""


class Lifecycle:
    """Tells slots facts. ``effects`` says how each effect is done; ``on_changed`` hears of every slot that was told."""

    def __init__(self, loop: Loop, log: EventLog, pacing: Pacing, on_changed: Callable[[LiveSlot], None]) -> None:
        self._loop = loop
        self._log = log
        self._pacing = pacing
        self._on_changed = on_changed
        self.effects: Mapping[Effect, Callable[[LiveSlot], None]] = {}
        self.problems: dict[str, str] = {}
        """By job: why its row cannot be run as it is written."""
        self.stopping = False
        """The daemon stops: no job is wanted any more, whatever a row or an order says that comes late."""

    def want(self, slot: LiveSlot, wanted: bool) -> None:
        """Change the wish; the table closes the gap."""
        wanted = wanted and (slot.builtin or not self.stopping)
        if slot.wanted != wanted:
            slot.wanted = wanted
            self.tell(slot, Fact.WANTED_UP if wanted else Fact.WANTED_DOWN)

    def tell(self, slot: LiveSlot, fact: Fact, *, hung: bool = False, restarting: bool = False) -> None:
        """Put a fact through the table, and do what it asks for."""
        was = slot.state
        after = step(was, fact, self._situation(slot, hung, restarting))
        if after.state is not was:
            self._move(slot, after.state)
        for effect in after.effects:
            if effect is Effect.REPORT_IMPOSSIBLE:
                self._log.emit("daemon.degraded", **slot.identity, reason=f"{fact.name} cannot happen in {was.name}")
            else:
                self.effects[effect](slot)
        self._on_changed(slot)

    def explain(self, slot: LiveSlot, reason: str) -> None:
        """Have it say why it is as it is, until it is otherwise."""
        if slot.reason != reason:
            slot.reason = reason
            self._on_changed(slot)

    def turn_came(self, slot: LiveSlot) -> None:
        """It has a place at pacing: TURN_CAME."""
        self.tell(slot, Fact.TURN_CAME)

    def born(self, slot: LiveSlot) -> None:
        """It has a child, not licensed yet: BORN."""
        self.tell(slot, Fact.BORN)

    def _situation(self, slot: LiveSlot, hung: bool, restarting: bool) -> Situation:
        child = slot.child
        return Situation(
            wanted=slot.wanted,
            born=child is not None and child.licensed_at is not None,
            hung=hung,
            dumped=child is not None and child.dumped,
            asked=child is not None and child.asked,
            killed=child is not None and child.killed,
            signals_ready=slot.spec.signals_ready,
            restarting=restarting,
            refused=slot.spec.name in self.problems,
            next=slot.decision.next,
        )

    def _move(self, slot: LiveSlot, state: State) -> None:
        was, slot.state = slot.state, state
        slot.disarm()
        slot.since, slot.since_wall = self._loop.clock.monotonic(), self._loop.clock.wall()
        slot.next_start_wall = None
        slot.reason = ""
        slot.started_once = slot.started_once or was is State.STARTING or state is State.PARKED
        if was is State.STARTING or state not in {State.WAITING, State.STARTING}:
            self._pacing.leave(slot)
        if was is State.PARKED and slot.wanted:
            self._log.emit("child.resumed", **slot.identity, reason="an edit or an operator")
        if state is State.DONE:
            slot.reason = slot.decision.reason
        if state is State.PARKED:
            self._park(slot)

    def _park(self, slot: LiveSlot) -> None:
        slot.reason = self.problems.get(slot.spec.name) or slot.decision.reason
        if slot.spec.name in self.problems:
            self._log.emit("job.refused", **slot.identity, reason=slot.reason)
        self._log.emit("child.parked", **slot.identity, reason=slot.reason)
