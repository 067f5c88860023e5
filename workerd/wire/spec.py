"""A job as the daemon knows it: frozen, plain values, nothing of Django."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .words import Heartbeat, Restart

MAX_KWARGS_BYTES = 64 * 1024
"""The JSON of a job's kwargs travels in one message to its child; a row with more is refused with this number."""
MAX_KWARGS_DEPTH = 30
"""Lists and objects inside each other; MariaDB takes 31, and what copies and encodes them goes deeper with each."""


class JobSpec(NamedTuple):
    """One row of ``Job``; durations are seconds, memory is MiB, None means "no limit"."""

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a message; ``from_dict`` is its inverse."""
        return self._asdict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "JobSpec":
        """Build a spec from ``to_dict``'s values; an unknown or missing name is a TypeError."""
        return cls(**values)


def depth_of(value: Any) -> int:
    """Return how many lists and objects are inside each other, counting ``value``; 0 for a plain one."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


RESTARTING_FIELDS = ("name", "id", "target", "command", "kwargs", "nice", "heartbeat", "signals_ready", "stop_signal")
"""A change of one of these is a new program for the child; every other field acts on the running one."""


def is_restarting(before: JobSpec, after: JobSpec) -> bool:
    """Return whether running children cannot take the change over, and have to be restarted."""
    return any(getattr(before, name) != getattr(after, name) for name in RESTARTING_FIELDS)
