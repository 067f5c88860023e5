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
LEFT_ALONE = frozenset({State.DONE, State.PARKED})
"""The slot is left as it is, although it is wanted: only an edit, an order or a due moment starts it again."""


class Outcome(StrEnum):
    """The end of a run, in one word."""

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
    OVERTIME = "overtime"
    MISSED = "missed"
    """There was no process: the row stands for one or more due moments that nothing was started for."""


GOOD = frozenset({Outcome.STOPPED, Outcome.FINISHED, Outcome.RECYCLED})
"""The run ended as it should. LOST is neither good nor a failure: nobody saw how the run ended."""
FAILURES = frozenset(
    {
        Outcome.ERROR,
        Outcome.CRASHED,
        Outcome.HUNG,
        Outcome.OVER_MEMORY,
        Outcome.REFUSED,
        Outcome.KILLED,
        Outcome.OVERTIME,
    }
)
"""Somebody should look at the run."""


class Restart(StrEnum):
    """The ends after which a job that ended by itself is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class Heartbeat(StrEnum):
    """The signs of life that count. ``ANY`` and ``EXPLICIT`` leave out what the job's other processes do."""

    ANY = "any"
    EXPLICIT = "explicit"
    GROUP = "group"


class Overlap(StrEnum):
    """The effect of a due moment that comes while the run before it goes on."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class Scope(StrEnum):
    """The scope of a job's processes: so many on each node, or so many in all nodes together."""

    EACH_NODE = "each_node"
    FLEET = "fleet"


class WithoutDatabase(StrEnum):
    """The course of a fleet job's process whose node can no longer prove that it has the seat."""

    STOP = "stop"
    GO_ON = "go_on"


class Before(StrEnum):
    """The state of a seat just before this life took it."""

    FREE = "free"
    SILENT = "silent"
    """Another node had it, and was not heard of."""
    OURS = "ours"
    """An earlier life of this very node had it, and has ended."""


class Elsewhere(StrEnum):
    """The holder of a seat that this node does not have, if there is one."""

    HELD = "held"
    """Another node has it."""
    FREE = "free"
    """No node has it, and this one may take it unless it has declined the job."""
    UNFIT = "unfit"
    """No node has it, and this one may not: it lacks a label, or does not know the job."""
    NOWHERE = "nowhere"
    """No node has it, and none may: no living one has the labels that the job asks for."""


class Trigger(StrEnum):
    """The cause for which a scheduled job's run was started."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    RETRY = "retry"
    OPERATOR = "operator"


RUN_VARIABLE = "WORKERD_RUN"
"""Holds the run, in the environment of its processes; in that of a forkserver a mark of its own."""
LAST = "; last: "
"""Stands in a reason between the count of failures and the reason of the last one."""
ITS_TIME = "its time: "
"""Begins the reason of a slot that waits for a time of its schedule."""
LAST_RUN = "; the last run: "
"""Stands in a reason between the time that a slot waits for and how its last run failed."""


def slot_name(job: str, index: int, processes: int) -> str:
    """Return ``job:index``, or the job's name alone if it has a single process."""
    return job if processes == 1 and index == 0 else f"{job}:{index}"


def names_slot(name: str, slot: str) -> bool:
    """Return whether an operator's ``name`` means ``slot``: its own name, its job's, or ``job:0`` for an only slot."""
    job, _, index = slot.partition(":")
    return name in {slot, job, f"{job}:{index or 0}"}
