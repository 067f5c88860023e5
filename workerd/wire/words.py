"""The words that several processes and the rows share: states, outcomes, policies."""

from enum import StrEnum


class State(StrEnum):
    """The state of a slot. Whether it should run is kept apart from it."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    BACKOFF = "BACKOFF"
    WAITING = "WAITING"
    DONE = "DONE"
    PARKED = "PARKED"


ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""The slot has a child, or asks for one."""
MOVING = frozenset({State.STARTING, State.STOPPING, State.WAITING})
"""The slot leaves this state by itself, soon."""


class Outcome(StrEnum):
    """How a run ended."""

    STOPPED = "stopped"
    FINISHED = "finished"
    ERROR = "error"
    CRASHED = "crashed"
    HUNG = "hung"
    OVER_MEMORY = "over_memory"
    RECYCLED = "recycled"
    REFUSED = "refused"
    KILLED = "killed"
    LOST = "lost"


GOOD = frozenset({Outcome.STOPPED, Outcome.FINISHED, Outcome.RECYCLED})
"""The run ended as it should. LOST is neither good nor a failure: nobody saw how the run ended."""
FAILURES = frozenset(
    {Outcome.ERROR, Outcome.CRASHED, Outcome.HUNG, Outcome.OVER_MEMORY, Outcome.REFUSED, Outcome.KILLED}
)
"""Somebody should look at the run."""


class Restart(StrEnum):
    """When a job that ended by itself is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class Heartbeat(StrEnum):
    """The signs of life that count. ``ANY`` and ``EXPLICIT`` leave out what the job's other processes do."""

    ANY = "any"
    EXPLICIT = "explicit"
    GROUP = "group"


RUN_VARIABLE = "WORKERD_RUN"
"""Holds the run, in the environment of its processes; in that of a forkserver a mark of its own."""
LAST = "; last: "
"""Stands in a reason between the count of failures and the reason of the last one."""


def slot_name(job: str, index: int, processes: int) -> str:
    """Return ``job:index``, or the job's name alone if it has a single process."""
    return job if processes == 1 and index == 0 else f"{job}:{index}"


def names_slot(name: str, slot: str) -> bool:
    """Return whether an operator's ``name`` means ``slot``: its own name, its job's, or ``job:0`` for an only slot."""
    job, _, index = slot.partition(":")
    return name in {slot, job, f"{job}:{index or 0}"}
