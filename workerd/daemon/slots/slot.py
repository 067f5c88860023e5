"""One numbered place of a job, which survives restarts: what is wanted of it, what is, and what it remembers.

A part that has to know how a slot stands asks one of the predicates here. What follows from a fact is decided by the
table alone.
"""

from dataclasses import dataclass, field
from typing import Any

from workerd.daemon.io.loop import Timer
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.program import Program
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.dues import SHORTEST_S, Dues
from workerd.daemon.rules.facts import Next
from workerd.daemon.rules.holdings import Holding
from workerd.daemon.rules.restart import Decision, FailureHistory
from workerd.wire.spec import JobSpec
from workerd.wire.words import ALIVE, MOVING, Outcome, State, slot_name


@dataclass(eq=False, repr=False, slots=True)
class LiveSlot:
    """``wanted`` is the wish and ``state`` is what is; orders change the wish, facts change the state."""

    spec: JobSpec
    index: int
    builtin: bool = False
    program: Program | None = None
    """The program that its processes are, where they need no project and so no forkserver."""
    wanted: bool = False
    doomed: bool = False
    """Whether the row wants the slot no longer: it is forgotten once it has stopped."""
    state: State = State.STOPPED
    reason: str = ""
    reason_before: str = ""
    """The reason that it had before the fact that it was told last."""
    cause: str = ""
    """The operator, edit or event that has last changed the wish, or asked for a restart; in words."""
    since: float = 0.0
    since_wall: float = 0.0
    child: Child | None = None
    deadline: Timer | None = None
    next_start_wall: float | None = None
    decision: Decision = field(default_factory=lambda: Decision(Next.AGAIN))
    history: FailureHistory = field(default_factory=FailureHistory)
    restarts: int = 0
    limit_since: float = 0.0
    """The monotonic time at which the row's heartbeat time-out was last changed: silence from before does not count."""
    written_beat: float = 0.0
    """The last beat that its row shows."""
    written_memory: float | None = None
    """The memory that its row shows."""
    is_measured: bool = False
    """Whether there was a sample of a process of it."""
    processor_s: float = 0.0
    """The processor time of all its runs so far, as samples have seen it."""
    curve_due: float = 0.0
    """The monotonic time at which the row is to get its samples again."""
    held: bool = False
    """Whether an operator has stopped it; lasts until a start, a change of ``enabled``, or the daemon's end."""
    unkillable: bool = False
    misses_database: bool = False
    """Whether the last child found a database out."""
    end_reason: str = ""
    last_run: str = ""
    finished_row: dict[str, Any] | None = None
    """The row of the last run, where it finished and is not known to have left a process."""
    outcome: Outcome | None = None
    """The outcome of the last run."""
    problem: str = ""
    """Why the last child refused the job; written to the row, and taken back when a child loads."""
    sound: bool = False
    """Whether a child has loaded what the row runs, and none has refused it since."""
    dues: Dues | None = None
    """The due moments of a job with a schedule."""
    first_start: float | None = None
    """The monotonic time at which the slot first came to STARTING."""
    ran: bool = False
    """Whether the slot was RUNNING once."""
    passed: bool = False
    """Whether the slot waits no more for the jobs that it starts after: it does so before its first start alone."""
    started_once: bool = False
    """Whether the slot has left its first STARTING, whatever came of that."""
    seat: Holding | None = None
    """The seat of the fleet that lets the slot run; None where it has none, or may not use it."""
    seat_reason: str = ""
    """Why it has no seat that it may use."""
    parked_in_fleet: bool = False
    """Whether this node cannot run it, and no other node does."""
    has_row: bool = False
    """Whether the database was told of the slot: a slot that only waits for a seat has no row."""

    @property
    def name(self) -> str:
        """``price-feed:1``, or the job's bare name where it has one process."""
        return slot_name(self.spec.name, self.index, self.spec.processes)

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of every event about this slot; those of its run where it has one."""
        if self.child is not None and self.child.owner is self:
            return self.child.identity
        return self.place

    @property
    def place(self) -> dict[str, Any]:
        """The fields of an event about the slot itself, whatever runs in it."""
        return {"job": self.spec.name, "slot": self.name}

    # wishes

    @property
    def is_meant(self) -> bool:
        """Whether row and operator want the slot, wherever in the fleet it runs."""
        return self.spec.enabled and not self.held and not self.doomed

    @property
    def wished(self) -> bool:
        """Whether the slot should run here."""
        return self.is_meant and (self.seat is not None or not self.spec.is_fleet)

    @property
    def waits_for_seat(self) -> bool:
        """Whether the slot would run here if this node had its seat."""
        return self.spec.is_fleet and self.is_stopped and self.is_meant and self.seat is None and not self.builtin

    # how it stands

    @property
    def shown_state(self) -> State:
        """The state that people see: the fleet may still run the slot, which waits here for its seat."""
        if not self.waits_for_seat:
            return self.state
        return State.PARKED if self.parked_in_fleet else State.WAITING

    @property
    def is_alive(self) -> bool:
        """Whether the slot may have a child."""
        return self.state in ALIVE

    @property
    def is_starting(self) -> bool:
        """Whether the slot's child is being started, or is not ready yet."""
        return self.state is State.STARTING

    @property
    def is_running(self) -> bool:
        """Whether the slot's child is ready and was not asked to go."""
        return self.state is State.RUNNING

    @property
    def is_stopping(self) -> bool:
        """Whether the slot's child was asked to go."""
        return self.state is State.STOPPING

    @property
    def is_stopped(self) -> bool:
        """Whether nothing runs and nothing is wanted."""
        return self.state is State.STOPPED

    @property
    def is_parked(self) -> bool:
        """Whether the slot waits for an operator or an edit."""
        return self.state is State.PARKED

    @property
    def is_in_backoff(self) -> bool:
        """Whether the slot waits for the delay after a failure."""
        return self.state is State.BACKOFF

    @property
    def has_taken(self) -> bool:
        """Whether the slot runs, or waits to run, for a due moment."""
        return self.dues is not None and self.dues.taken is not None

    @property
    def has_begun(self) -> bool:
        """Whether a run has begun for the due moment that the slot has taken."""
        return self.dues is not None and self.dues.taken is not None and self.dues.begun

    @property
    def is_resting(self) -> bool:
        """Whether the slot waits for the next due moment of its schedule."""
        return self.state is State.WAITING and self.dues is not None and self.dues.taken is None

    def start_within_left(self, now: float) -> float | None:
        """Return for how many seconds a run may still begin for what was taken; None where nothing sets a limit."""
        dues = self.dues
        if dues is None or dues.taken is None or dues.begun:
            return None
        return dues.waits_since + max(self.spec.start_within, SHORTEST_S) - now

    @property
    def runs_at_times(self) -> bool:
        """Whether the slot's job has a schedule, so that it is well while it does not run."""
        return bool(self.spec.schedule)

    @property
    def is_settled(self) -> bool:
        """Whether the slot is on its way nowhere: it runs, does not run, or waits for a time or a database."""
        waits = self.state is State.WAITING and (self.deadline is not None or self.is_resting)
        return self.state not in MOVING or waits

    @property
    def is_over(self) -> bool:
        """Whether the row wants the slot no longer, and its child has ended."""
        return self.doomed and not self.is_alive

    @property
    def is_refused(self) -> bool:
        """Whether the slot is parked because its child refused the job."""
        return self.is_parked and self.outcome is Outcome.REFUSED

    @property
    def is_waiting_for_database(self) -> bool:
        """Whether the slot would start but for a database that is out."""
        return self.state is State.WAITING and self.misses_database and self.deadline is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether the slot is neither running nor on its way to it."""
        return self.is_resting or (self.state not in MOVING and not self.is_running)

    @property
    def is_done(self) -> bool:
        """Whether the slot has ended, and its restart policy says to leave it."""
        return self.state is State.DONE

    @property
    def is_retrying(self) -> bool:
        """Whether the slot is on its way to run again, after a failure."""
        return bool(self.history.failures) and (self.is_starting or self.state is State.WAITING)

    @property
    def is_down(self) -> bool:
        """Whether the slot should run and does not, because it failed."""
        if self.runs_at_times:
            return self.wanted and self.is_parked
        return self.wanted and (self.is_parked or self.is_in_backoff or self.is_retrying)

    # changes by the lifecycle

    def enter(self, state: State, clock: Clock) -> None:
        """Be in ``state`` from now on; deadline, reason and next start belonged to the state before."""
        self.state = state
        self.disarm()
        self.since, self.since_wall = clock.monotonic(), clock.wall()
        self.next_start_wall = None
        self.reason = ""
        self.ran = self.ran or state is State.RUNNING
        if state is State.STARTING and self.first_start is None:
            self.first_start = self.since

    def disarm(self) -> None:
        """Forget the deadline."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


def slot_of(child: Child) -> LiveSlot | None:
    """Return the slot that runs ``child``; None for a spare, and for a child that its slot has replaced."""
    slot = child.owner
    return slot if isinstance(slot, LiveSlot) and slot.child is child else None
