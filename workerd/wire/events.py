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
        "error",
        "reason traceback kept_back",
        "an internal error of the daemon; supervision goes on; please report it; "
        "kept_back is how many more there were since the last line",
    ),
    "seat.taken": _event("info", "token", "this node has a seat of the fleet that was free, and runs its process"),
    "seat.taken_over": _event(
        "warning", "token taken_from", "this node has taken a seat from another one that was not heard of any more"
    ),
    "seat.released": _event("info", "token", "no process of the seat is left here: another node may have it at once"),
    "seat.lost": _event("warning", "token", "the database no longer has the seat as this node's: its process ends"),
    "seat.kept": _event(
        "error", "reason", "a process cannot be killed: the seat that it runs for stays this node's until it has ended"
    ),
    "daemon.stopping": _event("info", "reason", "all jobs are asked to stop"),
    "daemon.stopped": _event("info", "exit_code seconds", "the daemon ends; this is its last line"),
    "state_dir.lost": _event(
        "error", "state_dir reason", "the lock or the socket is gone from STATE_DIR and cannot be made anew"
    ),
    "state_dir.restored": _event("info", "state_dir reason", "the lock or the socket was gone, and was made anew"),
    "leftovers.ended": _event("warning", "pids", "processes of an earlier daemon are ended before a job starts"),
    "leftover.ended": _event(
        "warning", "leftover_pid name", "a process that a run has left is ended; job, slot and run are those of the run"
    ),
    "leftover.stuck": _event(
        "error", "leftover_pid name reason", "such a process does not end; only slots that do the same work wait for it"
    ),
    "leftover.unreadable": _event(
        "warning", "leftover_pid name reason", "a process was left that does not show which run has left it"
    ),
    "protocol.violated": _event(
        "warning",
        "reason kept_back",
        "a process got a message that no part of workerd sends; of each process ten lines a minute at most are logged",
    ),
    "journal.unwritable": _event(
        "error",
        "path reason",
        "a journal cannot be written; the ledger, or the notifier, goes on in memory and tries it again",
    ),
    "journal.restored": _event("info", "path records", "the journal can be written again; it has what memory held"),
    "journal.replaced": _event(
        "error", "path reason", "the journal was broken or taken away; a new one has what could be read of it"
    ),
    "journal.trimmed": _event(
        "warning",
        "runs set_aside limit_bytes",
        "the oldest records in the journal, or of those set aside, were dropped, as there is no more room for them",
    ),
    "records.lost": _event("error", "records reason", "records of runs and slots that no ledger could write down"),
    "birth.failed": _event("warning", "reason", "a process could not be started; it is tried again"),
    "birth.two_forks": _event(
        "info", "reason", "each process that the forkserver starts takes two forks, where one would do elsewhere"
    ),
    "birth.overdue": _event("error", "seconds", "a process took too long to start; its forkserver is killed"),
    "forkserver.failed": _event("error", "generation reason", "no forkserver could be started; it is tried again"),
    "forkserver.started": _event("info", "generation forkserver_pid", "a forkserver starts to load the project"),
    "forkserver.ready": _event(
        "info",
        "generation forkserver_pid load_ms jobs",
        "the forkserver has loaded the project and can start processes",
    ),
    "project.left_open": _event(
        "warning", "found", "threads, sockets, processes, sessions that the project left open as it was loaded"
    ),
    "forkserver.rejected": _event(
        "error",
        "generation reason traceback",
        "the project does not load, cannot fork, or lacks what a job runs; the generation before it stays",
    ),
    "forkserver.exited": _event(
        "warning",
        "generation forkserver_pid exit_code signal retry_s",
        "the forkserver ended by itself; another one is started after retry_s",
    ),
    "rollout.halted": _event(
        "error",
        "generation reason moved slots",
        "a slot failed with the new code, or the move got no further; the others keep the code before",
    ),
    "rollout.ended": _event("info", "generation moved slots", "so many of the slots run the generation now"),
    "jobs.changed": _event("info", "added changed removed", "job rows were added, edited or removed"),
    "job.order_ignored": _event(
        "warning", "starts_after reason", "a job starts although the one named by starts_after does not run"
    ),
    "job.due": _event("debug", "due trigger", "a scheduled job is to start now"),
    "job.missed": _event(
        "warning", "due last count reason", "nothing ran for one due moment, or for count of them from due to last"
    ),
    "job.overtime": _event("error", "limit_s note", "a scheduled run went on for longer than max_age and is ended"),
    "calendar.corrected": _event(
        "warning",
        "was now",
        "due moments were settled up to was, hours ahead of the clock now, which is taken for right",
    ),
    "job.failed": _event("error", "exception_type exception", "an exception ended the job's code"),
    "job.refused": _event("error", "reason", "a job cannot run as its row says"),
    "child.born": _event(
        "info",
        "spare ms trigger late_s",
        "a process starts to run its job; of a scheduled one trigger says why, and late_s how late",
    ),
    "child.ready": _event("info", "ms", "the process counts as running"),
    "child.exited": _event(
        "info",
        "outcome exit_code signal reason seconds",
        "the process has ended; level error when it ended badly by itself",
    ),
    "child.hung": _event("error", "silent_s timeout_s note", "the process gave no sign of life in time"),
    "child.stack": _event(
        "error", "stack reason", "the stack of every thread of the process, or the reason why there is none"
    ),
    "samples.stopped": _event(
        "warning", "path reason", "what processes use is measured no more, as it cannot be kept; tried each minute"
    ),
    "samples.refused": _event("warning", "reason", "the database takes no samples; the next ones are tried again"),
    "samples.begun_anew": _event("info", "path reason", "what processes use is kept from now on, without the past"),
    "child.over_memory": _event(
        "warning", "memory_mib limit_mib", "the process's own memory has grown above its limit"
    ),
    "child.memory_unknown": _event(
        "warning", "limit_mib reason", "the memory of a process cannot be known, so that its limit has no effect"
    ),
    "child.recycled": _event("info", "reason", "the process is replaced gracefully"),
    "child.stopping": _event("info", "signal reason timeout_s", "the process is asked to stop"),
    "child.killed": _event("warning", "reason", "KILL was sent to the process and its group"),
    "child.not_signalled": _event(
        "error", "signal reason", "a signal could not be sent to the process, which runs as another user"
    ),
    "child.unkillable": _event(
        "error", "seconds reason", "the process is still there after KILL; its slot gets no second one"
    ),
    "child.restart_scheduled": _event("info", "delay_s reason failures", "the slot starts again after delay_s"),
    "child.parked": _event("error", "reason", "the slot is given up until resume or an edit"),
    "child.resumed": _event("info", "reason", "the slot is no longer parked"),
    "child.output": _event(
        "info",
        "stream line",
        "a line that the process, or a program that it started, printed to stdout or stderr; "
        "a line of a known logger's shape has the level that it names",
    ),
    "connection.opened": _event("info", "alias vendor session ms", "a database connection was opened"),
    "connection.closed": _event(
        "info",
        "alias vendor session age_s reason",
        "a database connection was closed; reason is before_fork, max_age, unusable, …",
    ),
    "connection.kept": _event(
        "warning",
        "alias vendor session age_s reason",
        "a session was not renewed for its age, as it holds what a new one would not; logged once for each session",
    ),
    "connection.failed": _event(
        "warning", "alias vendor error message ms", "a database connection could not be opened"
    ),
    "connection.discarded": _event(
        "warning", "alias vendor session opened_by", "a forked process inherited a connection and discarded it"
    ),
    "fork.prepared": _event(
        "info",
        "closed pools ms",
        "no database connection is open: it is safe to fork; a forkserver looks anew where something was opened or "
        "started, or where `BEFORE_FORK` names something",
    ),
    "fork.refused": _event("error", "reasons", "it is not safe to fork; nothing was forked"),
    "socket.inherited": _event(
        "warning", "peer descriptor remedy", "another socket is open at a fork; logged once for each peer"
    ),
    "ledger.connected": _event("info", "vendor version", "the ledger reaches its database"),
    "ledger.lost": _event("error", "reason", "the ledger does not reach its database; supervision goes on"),
    "ledger.recovered": _event("info", "outage_s caught_up", "the ledger reaches its database again"),
    "ledger.set_aside": _event("error", "kind key reason", "the database refused a record, which was set aside"),
    "node.key_replaced": _event(
        "warning", "path reason", "the node's key in STATE_DIR could not be read; it has a new one"
    ),
    "node.taken_over": _event(
        "warning",
        "reason",
        "this daemon has taken the node's row from another that may still run, and that ends now",
    ),
    "node.name_taken": _event(
        "warning", "shown_as", "another node has this one's name and host, so that it is shown as it was called before"
    ),
    "node.displaced": _event(
        "error", "reason", "another daemon has taken the node's row; this one stops its jobs and exits with 75"
    ),
    "seats.unconfirmed": _event(
        "error", "reason", "the ledger cannot renew the seats of its node: what runs with them ends at their deadlines"
    ),
    "seats.confirmed": _event("info", "seconds", "the ledger renews the seats again, after so many seconds"),
    "seats.failed": _event(
        "error", "reason traceback", "an internal error of the ledger's about seats; it goes on; please report it"
    ),
    "seat.ended_by_ledger": _event(
        "error",
        "child_pid token late_s others",
        "the daemon stands still, so the ledger has killed the process of a seat after its deadline, and its others",
    ),
    "node.draining": _event("info", "requested_by seats", "the node gives its seats of the fleet away, and takes none"),
    "node.undrained": _event("info", "requested_by", "the node takes seats of the fleet again"),
    "turn.awaited": _event(
        "info", "reason", "the node waits for its turn to drain or reload, as one node at a time does"
    ),
    "turn.taken": _event(
        "info", "token taken_from", "it is the node's turn to drain or reload (taken_from: a silent node that had it)"
    ),
    "turn.released": _event("info", "token", "another node may drain or reload"),
    "turn.lost": _event(
        "warning", "token", "another node may drain or reload, as this one has not renewed its turn; it goes on"
    ),
    "rollout.stopped": _event(
        "warning", "reason", "a reload of the whole fleet stopped at another node: this one keeps its code"
    ),
    "operation.taken": _event(
        "info", "verb job requested_by", "an operator gave an order; its result is in the audit trail"
    ),
    "operation.dropped": _event(
        "warning",
        "verb requested_by",
        "an order was not carried out: whoever gave it had gone before the daemon came to it",
    ),
    "alert.sent": _event("info", "key kind state way id", "an alert has left by one way; a retry has the same id"),
    "alert.failed": _event(
        "warning",
        "key kind state way id reason retry_s kept_back",
        "an alert did not leave by a way; it is tried again after retry_s; a way has one such line a minute",
    ),
    "alert.held_back": _event(
        "warning",
        "way count kinds",
        "more alerts are due than ALERTS_PER_HOUR lets leave by a way; the next one that leaves says how many",
    ),
    "alert.set_aside": _event(
        "error", "key kind state way id reason", "an alert could not leave by a way, and is not tried again"
    ),
    "alert.trimmed": _event("error", "count reason", "alerts were dropped that had still to leave"),
    "alert.stuck": _event(
        "error", "way seconds", "a way out of the alerts hangs; after 5 minutes the notifier starts anew"
    ),
    "alert.way_refused": _event("error", "way reason", "an entry of ALERTS has no effect, as it cannot be used"),
    "alert.claim_failed": _event(
        "warning", "reason", "the database does not say which node sends an alert of the fleet; it is asked again"
    ),
    "alerts.dropped": _event(
        "error", "reason", "an alert was given up, as too many wait for a notifier that does not run"
    ),
    "export.failed": _event(
        "warning",
        "what reason",
        "logs or spans cannot be sent to OTLP_ENDPOINT; they are kept, as many as there is room for, and tried again",
    ),
    "export.recovered": _event("info", "what outage_s", "they are sent again; what was kept follows"),
    "export.dropped": _event(
        "warning", "what count reason", "so many lines of the log, or spans, are not sent to OTLP_ENDPOINT"
    ),
    "log.dropped": _event(
        "warning",
        "lines reason",
        "lines are missing: the daemon's output was stuck (reason is its error), or an ended process had left too many",
    ),
}


def emit(logger: Any, name: str, /, level: str | None = None, **fields: Any) -> None:
    """Log an event through a structlog logger, at its level in the table or at ``level``."""
    getattr(logger, level or EVENTS[name].level)(name, **fields)
