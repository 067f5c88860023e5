"""One numbered place of a job, which survives restarts: what is wanted of it, what is, and what it remembers."""

from dataclasses import dataclass, field
from typing import Any

from workerd.daemon.io.loop import Timer
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Next
from workerd.daemon.rules.restart import Decision, FailureHistory
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, State, slot_name


@dataclass(eq=False, slots=True)
class LiveSlot:
    """``wanted`` is the wish and ``state`` is what is; orders change the wish, facts change the state."""

    spec: JobSpec
    index: int
    builtin: bool = False
    wanted: bool = False
    doomed: bool = False
    """No longer in the plan: forgotten once it has stopped."""
    state: State = State.STOPPED
    reason: str = ""
    since: float = 0.0
    since_wall: float = 0.0
    child: Child | None = None
    deadline: Timer | None = None
    next_start_wall: float | None = None
    decision: Decision = field(default_factory=lambda: Decision(Next.AGAIN))
    history: FailureHistory = field(default_factory=FailureHistory)
    restarts: int = 0
    written_beat: int = 0
    """The last beat that its row shows."""
    held: bool = False
    """An operator's stop, until a start, a change of ``enabled``, or the daemon's end."""
    unkillable: bool = False
    doubted_since: float | None = None
    """When its child first missed the ledger's database, which the ledger had reached before."""
    misses_database: bool = False
    """Its last child found the database out, as the ledger does, or may soon."""
    end_reason: str = ""
    outcome: Outcome | None = None
    """Of its last run."""
    problem: str = ""
    """Why its last child refused the job; told to the row, and taken back when one loads."""
    started_once: bool = False
    """It has left its first STARTING, whatever came of it."""

    @property
    def name(self) -> str:
        """``price-feed:1``, or the job's bare name where it has one process."""
        return slot_name(self.spec.name, self.index, self.spec.processes)

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of every event about this slot."""
        if self.child is not None and self.child.slot is self:
            return self.child.identity
        return {"job": self.spec.name, "slot": self.name}

    def disarm(self) -> None:
        """Forget the deadline, which belongs to the state being left."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
