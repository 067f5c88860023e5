"""Facts about a slot (past tense), the effects that follow (imperative), and what the restart policy may want."""

from enum import Enum, auto


class Fact(Enum):
    """Something that happened to a slot."""

    BORN = auto()
    BIRTH_FAILED = auto()
    LOADED = auto()
    BECAME_READY = auto()
    EXITED = auto()
    DEADLINE_PASSED = auto()
    TURN_CAME = auto()
    SPEC_CHANGED = auto()
    WANTED_UP = auto()
    WANTED_DOWN = auto()
    START_ASKED = auto()
    """An operator gave ``start`` to a slot that is wanted already: if it waits or was given up, it is tried now."""
    RESTART_ASKED = auto()
    RESUMED = auto()
    CAME_DUE = auto()
    """A moment of the slot's schedule has come, or an operator has asked for a run now."""
    NEXT_CHANGED = auto()
    """The schedule's next due moment is another one, or there is none any more."""
    LEASE_ENDED = auto()
    """The child's seat cannot be proven to be this node's any longer: another node may start its child now."""


class Effect(Enum):
    """Something to do for a slot, in the order given."""

    QUEUE = auto()
    """Stand in line for a turn to start a process (pacing)."""
    BEAR = auto()
    """Ask for a child: a spare, or a birth."""
    BEAR_ANEW = auto()
    """Ask for a child anew, from the same place in the line: what it is to run for is another moment."""
    WITHDRAW = auto()
    """Close the channel of a birth that is not licensed: no child comes of it."""
    LICENSE = auto()
    """Send the spec: the child runs from here on."""
    TERMINATE = auto()
    """Send the job's stop signal."""
    KILL = auto()
    """SIGKILL to the child's group."""
    DUMP = auto()
    """Have the child write every thread's stack; DEADLINE_PASSED when it has, or cannot."""
    REPORT_UNKILLABLE = auto()
    """Log that the child is still there after KILL."""
    ARM_START = auto()
    """DEADLINE_PASSED after ``start_timeout``."""
    ARM_GRACE = auto()
    """BECAME_READY after ``start_grace``."""
    ARM_STOP = auto()
    """DEADLINE_PASSED after ``stop_timeout``."""
    ARM_KILL = auto()
    """DEADLINE_PASSED when a killed child should long be gone."""
    ARM_DELAY = auto()
    """DEADLINE_PASSED after the delay that the restart policy chose."""
    REPORT_IMPOSSIBLE = auto()
    """Log that a fact came that cannot happen: a fault of the daemon's own."""
    FORGIVE = auto()
    """Forget past failures: an operator or an edit has intervened."""
    LEAVE_LINE = auto()
    """Give up the turn, or the place among those that load."""
    NOTE_STARTED = auto()
    """Remember that the slot has left its first STARTING: the daemon is ready when every wanted slot has."""
    SAY_READY = auto()
    """Count the child as running from now on, in the log and in its record."""
    EXPLAIN = auto()
    """Give the restart policy's reason, or the row's problem, as the slot's."""
    SAY_PARKED = auto()
    """Log that the slot is given up, and why."""
    SAY_RESUMED = auto()
    """Log that a parked slot is tried again."""
    AWAIT = auto()
    """Wait for the next due moment: out of the line, without a deadline."""
    TAKE = auto()
    """Run for the moment that came due."""
    TAKE_REMEMBERED = auto()
    """Run for the moment that came due while the last run went on."""
    REMEMBER = auto()
    """Run for the moment that came due once the present child has ended."""
    MISS = auto()
    """Record that nothing runs for the moment that came due."""
    SUPERSEDE = auto()
    """Record that nothing ran for the moment that was taken: a later one takes its place."""
    SUPERSEDE_REMEMBERED = auto()
    LAPSE = auto()
    """Record that nothing ran for the moment that was taken: it could not be started in time."""
    CLEAR_DUES = auto()
    """Record that nothing runs for what was taken or remembered; an end of the daemon leaves that to the next one."""


class Next(Enum):
    """The restart policy's answer to an exit."""

    AGAIN = auto()
    LATER = auto()
    WAIT = auto()
    LEAVE = auto()
    GIVE_UP = auto()
    REST = auto()
    """Wait for the schedule's next due moment."""
