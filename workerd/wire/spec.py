"""A job as the daemon knows it: plain values that nobody changes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .placeholders import PROCESSES, filled
from .words import Heartbeat, Overlap, Restart, Scope, WithoutDatabase


class JobSpec(NamedTuple):
    """A row of ``Job``. Durations are seconds, memory is MiB, None means "no limit"."""

    name: str
    id: int | None = None
    target: str = ""
    command: str = ""
    kwargs: Mapping[str, Any] = {}  # shared by every spec without kwargs: nobody changes it
    enabled: bool = True
    processes: int = 1
    restart: str = Restart.ALWAYS
    backoff_initial: float = 0.5
    backoff_max: float = 60.0
    max_restarts: int | None = None
    restart_window: float = 600.0
    start_grace: float = 1.0
    start_timeout: float = 30.0
    signals_ready: bool = False
    heartbeat_timeout: float | None = None
    heartbeat: str = Heartbeat.ANY
    stop_signal: str = "TERM"
    stop_timeout: float = 10.0
    max_memory: float | None = None
    max_age: float | None = None
    significant: bool = False
    nice: int = 0
    schedule: str = ""
    time_zone: str = ""
    """The time zone of the schedule; the ledger has put the project's in place of an empty one."""
    start_within: float = 600.0
    overlap: str = Overlap.SKIP
    spread: float = 0.0
    environment: Mapping[str, Any] = {}  # as with kwargs
    """Environment variables by name; ``{"$env": NAME}`` stands for one of the child's own."""
    working_directory: str = ""
    umask: str = ""
    """In octal; "" is the service's own."""
    starts_after: Sequence[str] = []
    """The jobs that each have to run, or to have finished, before this one starts with the daemon."""
    scope: str = Scope.EACH_NODE
    where: str = ""
    """The labels that a node needs to run the job, such as "zone=a, disk!=hdd"; "" fits every node."""
    takeover_after: float = 30.0
    """A node that has not been heard of for this long loses its seat to another one (F of the lease)."""
    without_database: str = WithoutDatabase.STOP
    movable: bool = False
    """Whether a process may be moved to another node to even out the load."""
    labels: str = ""
    """Names and values by which alerts go, such as "team=billing, tier=1"; ``wire.labels`` reads them."""

    @property
    def is_fleet(self) -> bool:
        """Whether ``processes`` counts the processes of all nodes together, each of which holds a seat."""
        return self.scope == Scope.FLEET

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a message, from which ``from_dict`` makes the spec again."""
        return self._asdict()

    def for_slot(self, index: int) -> "JobSpec":
        """Return the spec as the process ``index`` of the job has it, with its numbers in the command's line."""
        return self._replace(command=filled(self.command, index, self.processes))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "JobSpec":
        """Return the spec of ``to_dict``'s values. Raises TypeError for an unknown or a missing name."""
        return cls(**values)


RESTARTING_FIELDS = (
    "name",
    "id",
    "target",
    "command",
    "kwargs",
    "environment",
    "working_directory",
    "umask",
    "nice",
    "heartbeat",
    "signals_ready",
    "stop_signal",
    "scope",
)
"""A change of one of these needs a new process; a change of any other acts on the running one."""


def is_restarting(before: JobSpec, after: JobSpec) -> bool:
    """Return whether running children cannot take the change over, and have to be restarted.

    A process that runs always ends when its row is given times; one that runs for a due moment is never ended by an
    edit, which the slot's table sees to.
    """
    given_times = not before.schedule and bool(after.schedule)
    renumbered = PROCESSES in after.command and before.processes != after.processes
    changed = any(getattr(before, name) != getattr(after, name) for name in RESTARTING_FIELDS)
    return given_times or renumbered or changed


def is_relabelled(before: JobSpec, after: JobSpec) -> bool:
    """Return whether the labels alone are others: nothing that runs, waits or is parked has to do with them."""
    return before.labels != after.labels and before._replace(labels=after.labels) == after


def is_rescheduled(before: JobSpec, after: JobSpec) -> bool:
    """Return whether the due moments are others."""
    return any(getattr(before, name) != getattr(after, name) for name in ("schedule", "time_zone", "spread"))


LATER_FIELDS = (
    "schedule",
    "time_zone",
    "start_within",
    "overlap",
    "spread",
    "environment",
    "working_directory",
    "umask",
    "starts_after",
    "scope",
    "where",
    "takeover_after",
    "without_database",
    "movable",
    "labels",
)
"""Columns that a release before them leaves null; the default stands for that."""

LATER_CHOICES = ("overlap", "scope", "without_database")
"""Those of them that are one of a few words: an earlier release may leave them empty, too."""


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row, with the default where an earlier release has written it."""
    defaults = JobSpec._field_defaults
    return {name: defaults[name] if _is_left_out(name, value) else value for name, value in values.items()}


def _is_left_out(name: str, value: Any) -> bool:
    return name in LATER_FIELDS and (value is None or (name in LATER_CHOICES and value == ""))
