"""The table of metrics: name, type, labels and meaning of each. Names are API; docs/metrics.md shows the table.

A label's values are names of jobs, aliases of databases, or words of a fixed set, never a run or a pid: the number of
time series stays bounded.
"""

from typing import Literal, NamedTuple


class Figure(NamedTuple):
    """A row of the table."""

    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    says: str


def _gauge(labels: str, says: str) -> Figure:
    return Figure("gauge", tuple(labels.split()), says)


def _counter(labels: str, says: str) -> Figure:
    return Figure("counter", tuple(labels.split()), says)


def _histogram(says: str) -> Figure:
    return Figure("histogram", (), says)


FIGURES: dict[str, Figure] = {
    "workerd_info": _gauge("name host version", "The daemon; the value is always 1."),
    "workerd_start_time_seconds": _gauge("", "When the daemon started."),
    "workerd_ready": _gauge("", "Whether the service is up: every enabled slot has left its first start."),
    "workerd_generation": _gauge("", "The generation of the code that starts processes, 0 before the first."),
    "workerd_generation_rejected": _gauge("", "Whether the code that was loaded last was rejected."),
    "workerd_rollout_halted": _gauge("", "Whether the move to a generation waits for an operator to decide."),
    "workerd_database_reachable": _gauge("", "Whether the ledger reaches the database."),
    "workerd_ledger_lag_records": _gauge("", "Records that are not in the database yet."),
    "workerd_ledger_set_aside_records": _gauge("", "Records that the database has refused."),
    "workerd_alerts_unsent": _gauge(
        "", "Alerts that have not left by each way that they are to take; only where there is a notifier."
    ),
    "workerd_slots": _gauge(
        "job state", "Slots, by job and state; RESTING is one that waits for a time of its schedule."
    ),
    "workerd_slots_down": _gauge(
        "job significant",
        "Slots that should run and do not, as they failed; of a job with a schedule only those that are parked.",
    ),
    "workerd_beat_age_seconds": _gauge(
        "job", "Seconds since the last beat, of the job's slot that has been silent longest."
    ),
    "workerd_memory_mib": _gauge("job", "Growth of a process's private memory in MiB, of the job's largest slot."),
    "workerd_cpu_seconds_total": _counter(
        "job", "Processor time of a job's processes, as samples have seen it since the daemon's start."
    ),
    "workerd_open_descriptors": _gauge("job", "Open descriptors, of the job's process that has most."),
    "workerd_threads": _gauge("job", "Threads, of the job's process that has most."),
    "workerd_seats_held": _gauge("job", "Seats of the fleet that the node holds; the sum over all nodes is what runs."),
    "workerd_seats_untaken": _gauge(
        "job", "Seats of the fleet that no node has, for longer than it takes one of those that may."
    ),
    "workerd_seats_lost_total": _counter(
        "", "Seats that were the node's and are so no longer, though it did not give them away."
    ),
    "workerd_seats_taken_over_total": _counter("", "Seats that the node took from one that was silent."),
    "workerd_job_last_success_timestamp_seconds": _gauge(
        "job", "When a run of a scheduled job last finished; of the job's slot for which that is longest ago."
    ),
    "workerd_job_next_due_timestamp_seconds": _gauge("job", "The next time of a job's schedule."),
    "workerd_job_due_failed": _gauge(
        "job", "Slots of a scheduled job that failed for good at their last time, retries included."
    ),
    "workerd_job_missed_total": _counter(
        "job", "Times of a job's schedule, of each of its slots, that nothing ran for."
    ),
    "workerd_job_lateness_seconds": _histogram(
        "From a time of a schedule to the start of its run; retries and runs that an operator asked for do not count."
    ),
    "workerd_exits_total": _counter("job outcome", "Runs that ended, by job and outcome."),
    "workerd_oom_kills_total": _counter(
        "job", "Processes that the kernel killed for want of memory, as their cgroup tells."
    ),
    "workerd_run_seconds": _histogram("How long runs lasted."),
    "workerd_birth_seconds": _histogram(
        "From the request for a process to its start; processes started ahead are not counted."
    ),
    "workerd_fork_preparation_seconds": _histogram(
        "How long it took to close every database connection before a fork."
    ),
    "workerd_connections_opened_total": _counter("alias", "Database connections opened."),
    "workerd_connections_closed_total": _counter("alias reason", "Database connections closed."),
    "workerd_connections_failed_total": _counter("alias error", "Database connections that failed."),
    "workerd_connections_discarded_total": _counter(
        "alias", "Inherited database connections that a forked process discarded."
    ),
    "workerd_log_lines_total": _counter("", "Lines written to the log."),
    "workerd_log_dropped_lines_total": _counter("", "Lines lost, as the log's reader was slow or its disk full."),
}
"""Counters and histograms begin with the daemon's start."""
