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
}


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
        for labels, count in Counter((slot["job_name"], slot["state"]) for slot in self._slots).items():
            states.add_metric(labels, count)
        yield states
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

    def _values(self, field: str) -> dict[str, list[float]]:
        """Return the slots' values of ``field``, by job; slots without one are left out."""
        found: dict[str, list[float]] = {}
        for slot in self._slots:
            if slot[field] is not None:
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
            family = CounterMetricFamily(name, text, labels=labels)
            for kind, *values, count in counters["events"]:
                if kind == event:
                    family.add_metric(values, count)
            yield family
        for event, (name, text) in TIMED.items():
            yield _histogram(name, text, counters["times"][event])


def _histogram(name: str, text: str, times: dict[str, Any]) -> Metric:
    family, total, buckets = HistogramMetricFamily(name, text), 0, []
    for bound, count in zip((*times["bounds"], "+Inf"), times["counts"], strict=True):
        total += count
        buckets.append((str(bound), float(total)))
    family.add_metric((), buckets, times["sum"])
    return family
