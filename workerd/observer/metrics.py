"""The daemon's status in Prometheus's format.

Label values are names of jobs, database aliases and a fixed set of words: the number of time series stays bounded.
"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

__all__ = ["CONTENT_TYPE", "render"]

COUNTED = {
    "child.exited": ("workerd_exits", "Processes that ended, by outcome.", ("outcome",)),
    "connection.opened": ("workerd_connections_opened", "Database connections opened.", ("alias",)),
    "connection.closed": ("workerd_connections_closed", "Database connections closed.", ("alias", "reason")),
    "connection.failed": ("workerd_connections_failed", "Database connections that failed.", ("alias", "error")),
    "connection.discarded": (
        "workerd_connections_discarded",
        "Inherited database connections that a forked process discarded.",
        ("alias",),
    ),
    "seat.lost": ("workerd_seats_lost", "Seats of the fleet that the node has lost, not given away.", ()),
    "seat.taken_over": ("workerd_seats_taken_over", "Seats that the node took from one that was silent.", ()),
}
TIMED = {
    "child.exited": ("workerd_run_seconds", "How long runs lasted."),
    "child.born": (
        "workerd_birth_seconds",
        "From the request for a process to its start; processes started ahead are not counted.",
    ),
    "fork.prepared": (
        "workerd_fork_preparation_seconds",
        "How long it took to close every database connection before a fork.",
    ),
    "late": (
        "workerd_job_lateness_seconds",
        "From a time of a schedule to the start of its run; retries and runs that an operator asked for do not count.",
    ),
}
MOST_OF = (
    ("workerd_open_descriptors", "descriptors", "Open descriptors, of the job's process that has most."),
    ("workerd_threads", "threads", "Threads, of the job's process that has most."),
)
RESTING = "RESTING"
"""The state, in ``workerd_slots`` alone, of a slot that waits for its time: it is not down."""


def render(status: dict[str, Any]) -> bytes:
    """Return the text of a scrape."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    return generate_latest(registry)


class StatusCollector(Collector):
    """Collects the metrics of one answer to ``status``."""

    def __init__(self, status: dict[str, Any]) -> None:
        self._daemon = status["daemon"]
        self._slots = status["slots"]
        self._counters = status["counters"]

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_daemon()
        yield from self._of_slots()
        yield from self._of_schedules()
        yield from self._of_counters()

    def _of_the_daemon(self) -> Iterator[Metric]:
        daemon = self._daemon
        info = GaugeMetricFamily("workerd_info", "The daemon.", labels=("name", "host", "version"))
        info.add_metric((daemon["name"], daemon["host"], daemon["version"]), 1)
        yield info
        yield GaugeMetricFamily("workerd_start_time_seconds", "When the daemon started.", value=daemon["started"])
        yield GaugeMetricFamily("workerd_ready", "Whether the service is up.", value=int(daemon["ready"]))
        yield GaugeMetricFamily("workerd_generation", "The code's generation.", value=daemon["generation"] or 0)
        reachable = daemon["database"]["reachable"] is True
        yield GaugeMetricFamily(
            "workerd_database_reachable", "Whether the ledger reaches the database.", value=int(reachable)
        )
        lag = daemon["unjournaled"] + daemon["waiting"]
        yield GaugeMetricFamily("workerd_ledger_lag_records", "Records that are not in the database yet.", value=lag)
        yield GaugeMetricFamily(
            "workerd_ledger_set_aside_records", "Records that the database has refused.", value=daemon["set_aside"]
        )

    def _of_slots(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("workerd_slots", "Slots, by job and state.", labels=("job", "state"))
        shown = ((slot["job_name"], RESTING if slot.get("resting") else slot["state"]) for slot in self._slots)
        for labels, count in Counter(shown).items():
            states.add_metric(labels, count)
        yield states
        yield self._seats()
        last_beats, memory = self._values("last_beat"), self._values("memory")
        beats = GaugeMetricFamily(
            "workerd_beat_age_seconds",
            "Seconds since the last beat, of the job's slot that has been silent longest.",
            labels=("job",),
        )
        for job, values in last_beats.items():
            beats.add_metric((job,), max(0.0, time.time() - min(values)))
        yield beats
        grown = GaugeMetricFamily(
            "workerd_memory_mib",
            "Growth of a process's private memory in MiB, of the job's largest slot.",
            labels=("job",),
        )
        for job, values in memory.items():
            grown.add_metric((job,), max(values))
        yield grown
        yield from self._of_usage()

    def _of_usage(self) -> Iterator[Metric]:
        used = CounterMetricFamily(
            "workerd_cpu_seconds",
            "Processor time of a job's processes, as samples have seen it since the daemon's start.",
            labels=("job",),
        )
        for job, values in self._values("processor_s").items():
            used.add_metric((job,), sum(values))
        yield used
        for name, field, text in MOST_OF:
            most = GaugeMetricFamily(name, text, labels=("job",))
            for job, values in self._values(field).items():
                most.add_metric((job,), max(values))
            yield most

    def _seats(self) -> Metric:
        held = GaugeMetricFamily("workerd_seats_held", "Seats of the fleet that the node holds.", labels=("job",))
        of_fleet = [slot for slot in self._slots if slot.get("fleet")]  # a daemon of an older version tells of none
        for job, count in Counter(slot["job_name"] for slot in of_fleet if slot["token"] is not None).items():
            held.add_metric((job,), count)
        return held

    def _of_schedules(self) -> Iterator[Metric]:
        succeeded = GaugeMetricFamily(
            "workerd_job_last_success_timestamp_seconds",
            "When a run of a scheduled job last finished; of the job's slot for which that is longest ago.",
            labels=("job",),
        )
        for job, moments in self._values("last_success").items():
            succeeded.add_metric((job,), min(moments))
        yield succeeded
        due = GaugeMetricFamily(
            "workerd_job_next_due_timestamp_seconds", "The next time of a job's schedule.", labels=("job",)
        )
        for job, moments in self._values("next_due").items():
            due.add_metric((job,), min(moments))
        yield due
        missed = CounterMetricFamily(
            "workerd_job_missed",
            "Times of a job's schedule, of each of its slots, that nothing ran for.",
            labels=("job",),
        )
        for job, counts in self._values("missed").items():
            missed.add_metric((job,), sum(counts))
        yield missed

    def _values(self, field: str) -> dict[str, list[float]]:
        """Return the slots' values of ``field``, by job; slots without one are left out."""
        found: dict[str, list[float]] = {}
        for slot in self._slots:
            if slot.get(field) is not None:  # a daemon of an older version does not tell each
                found.setdefault(slot["job_name"], []).append(slot[field])
        return found

    def _of_counters(self) -> Iterator[Metric]:
        counters = self._counters
        yield CounterMetricFamily("workerd_log_lines", "Lines written to the log.", value=counters["lines"])
        yield CounterMetricFamily(
            "workerd_log_dropped_lines",
            "Lines lost, as the log's reader was slow or its disk full.",
            value=counters["dropped"],
        )
        for event, (name, text, labels) in COUNTED.items():
            found = [(values, count) for kind, *values, count in counters["events"] if kind == event]
            family = CounterMetricFamily(name, text, labels=labels)
            for values, count in found or ([] if labels else [([], 0)]):  # a metric without labels begins with nought
                family.add_metric(values, count)
            yield family
        for event, (name, text) in TIMED.items():
            if event in counters["times"]:  # a daemon of an older version does not tell each
                yield _histogram(name, text, counters["times"][event])


def _histogram(name: str, text: str, times: dict[str, Any]) -> Metric:
    family, total, buckets = HistogramMetricFamily(name, text), 0, []
    for bound, count in zip((*times["bounds"], "+Inf"), times["counts"], strict=True):
        total += count
        buckets.append((str(bound), float(total)))
    family.add_metric((), buckets, times["sum"])
    return family
