"""A job as the daemon knows it: plain values that nobody changes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .words import Heartbeat, Restart


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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a message, from which ``from_dict`` makes the spec again."""
        return self._asdict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "JobSpec":
        """Return the spec of ``to_dict``'s values. Raises TypeError for an unknown or a missing name."""
        return cls(**values)


RESTARTING_FIELDS = ("name", "id", "target", "command", "kwargs", "nice", "heartbeat", "signals_ready", "stop_signal")
"""A change of one of these needs a new process; a change of any other acts on the running one."""


def is_restarting(before: JobSpec, after: JobSpec) -> bool:
    """Return whether running children cannot take the change over, and have to be restarted."""
    return any(getattr(before, name) != getattr(after, name) for name in RESTARTING_FIELDS)
