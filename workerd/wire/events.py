"""Every event that workerd logs: its level, its fields, what it says. Names are API; docs/operations.md shows them."""

from typing import Any, NamedTuple

EVENT_KEYS = ("timestamp", "level", "event")
FIRST_KEYS = (*EVENT_KEYS, "pid", "job", "slot", "run", "generation")
"""The order of a line of the log: these keys, as far as they apply, then the fields of the event."""


class Event(NamedTuple):
    """A row of the table. ``fields`` are those that a line may have beside FIRST_KEYS."""

    level: str
    fields: tuple[str, ...]
    says: str


def _event(level: str, fields: str, says: str) -> Event:
    return Event(level, tuple(fields.split()), says)


EVENTS: dict[str, Event] = {
    "daemon.started": _event("info", "name host state_dir version", "the daemon runs and holds the lock"),
    "daemon.ready": _event(
        "info", "slots seconds", "every enabled slot has left its first start, or the database is out"
    ),
    "daemon.degraded": _event(
        "error", "reason traceback", "an internal error of the daemon, which supervision survived; please report it"
    ),
    "daemon.stopping": _event("info", "reason", "all jobs are asked to stop"),
    "daemon.stopped": _event("info", "exit_code seconds", "last line"),
    "state_dir.lost": _event(
        "error", "state_dir reason", "the lock or the socket is gone from STATE_DIR and cannot be made anew"
    ),
    "state_dir.restored": _event("info", "state_dir reason", "the lock or the socket was gone, and was made anew"),
    "leftovers.ended": _event("warning", "pids", "processes of an earlier daemon are ended before a job starts"),
    "protocol.violated": _event("warning", "reason", "a message that no part of workerd sends came from a child"),
    "records.lost": _event("error", "records reason", "records of runs and slots that no ledger could write down"),
    "birth.failed": _event("warning", "reason", "a process could not be started; it is tried again"),
    "birth.overdue": _event("error", "seconds", "a process took too long to start; its forkserver is killed"),
    "forkserver.failed": _event("error", "generation reason", "no forkserver could be started; it is tried again"),
    "forkserver.started": _event("info", "generation forkserver_pid", "a forkserver loads the project"),
    "forkserver.ready": _event("info", "generation forkserver_pid load_ms jobs", "it has loaded it and gives birth"),
    "forkserver.rejected": _event("error", "generation reason traceback", "the project does not load or cannot fork"),
    "forkserver.exited": _event("warning", "generation forkserver_pid exit_code signal retry_s", "it ended by itself"),
    "jobs.changed": _event("info", "added changed removed", "rows were edited"),
    "job.failed": _event("error", "exception_type exception", "an exception ended the job's code; said by the child"),
    "job.refused": _event("error", "reason", "a job cannot run as configured"),
    "child.born": _event("info", "spare ms", "a child has its licence to run"),
    "child.ready": _event("info", "ms", "it counts as running"),
    "child.exited": _event(
        "info", "outcome exit_code signal reason seconds", "it is gone; level error if by itself and badly"
    ),
    "child.hung": _event("error", "silent_s timeout_s note", "no sign of life in time"),
    "child.stack": _event("error", "stack reason", "where it hangs, or why no stack could be had"),
    "child.over_memory": _event("warning", "memory_mib limit_mib", "private growth above the limit"),
    "child.recycled": _event("info", "reason", "to be replaced gracefully"),
    "child.stopping": _event("info", "signal reason timeout_s", "asked to go"),
    "child.killed": _event("warning", "reason", "KILL to its group"),
    "child.unkillable": _event("error", "seconds", "still there after KILL; no second child beside it"),
    "child.restart_scheduled": _event("info", "delay_s reason failures", "it starts again then"),
    "child.parked": _event("error", "reason", "given up on until resume or an edit"),
    "child.resumed": _event("info", "reason", "no longer parked"),
    "child.output": _event("info", "line", "what it printed"),
    "connection.opened": _event("info", "alias vendor session ms", "a database connection"),
    "connection.closed": _event("info", "alias vendor session age_s reason", "before_fork, max_age, unusable, …"),
    "connection.failed": _event("error", "alias vendor error message ms", "could not connect"),
    "connection.discarded": _event("warning", "alias vendor session opened_by", "inherited by a fork all the same"),
    "fork.prepared": _event("info", "closed pools ms", "nothing of a database is open: safe to fork"),
    "fork.refused": _event("error", "reasons", "not safe to fork; nothing was forked"),
    "socket.inherited": _event(
        "warning", "peer descriptor", "another open socket that children inherit; said once a peer"
    ),
    "ledger.connected": _event("info", "vendor version", "the ledger reaches its database"),
    "ledger.lost": _event("error", "reason", "it does not reach it; supervision goes on"),
    "ledger.recovered": _event("info", "outage_s caught_up", "it reaches it again"),
    "ledger.set_aside": _event("error", "kind key reason", "a record that the database refuses"),
    "operation.taken": _event("info", "verb job requested_by", "an operator's order; its result is in the row"),
    "log.dropped": _event("warning", "lines", "our output was stuck and the oldest lines were dropped"),
}


def emit(logger: Any, name: str, /, level: str | None = None, **fields: Any) -> None:
    """Log an event through a structlog logger, at its level in the table or at ``level``."""
    getattr(logger, level or EVENTS[name].level)(name, **fields)
