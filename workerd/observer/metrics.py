"""The daemon's picture as Prometheus reads it: labels are jobs, aliases and words of ours, so none grows for ever."""

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
    "child.exited": ("workerd_exits", "Ends of children, by outcome.", ("outcome",)),
    "connection.opened": ("workerd_connections_opened", "Database connections opened.", ("alias",)),
    "connection.closed": ("workerd_connections_closed", "Database connections closed.", ("alias", "reason")),
    "connection.failed": ("workerd_connections_failed", "Database connections that failed.", ("alias", "error")),
    "connection.discarded": ("workerd_connections_discarded", "Connections that a fork inherited.", ("alias",)),
}
TIMED = {
    "child.exited": ("workerd_run_seconds", "How long runs lived."),
    "child.born": ("workerd_birth_seconds", "From the request for a birth to the licence, spares left out."),
    "fork.prepared": ("workerd_fork_preparation_seconds", "Closing everything of a database before a fork."),
}


def render(picture: dict[str, Any]) -> bytes:
    """Return the text of a scrape."""
    registry = CollectorRegistry()
    registry.register(Picture(picture))
    return generate_latest(registry)


class Picture(Collector):
    """Collects from one picture."""

    def __init__(self, picture: dict[str, Any]) -> None:
        self._daemon = picture["daemon"]
        self._slots = picture["slots"]
        self._counters = picture["counters"]

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from self._about_the_daemon()
        yield from self._about_slots()
        yield from self._about_the_past()

    def _about_the_daemon(self) -> Iterator[Metric]:
        daemon = self._daemon
        info = GaugeMetricFamily("workerd_info", "The daemon.", labels=("name", "host", "version"))
        info.add_metric((daemon["name"], daemon["host"], daemon["version"]), 1)
        yield info
        yield GaugeMetricFamily("workerd_start_time_seconds", "When the daemon started.", value=daemon["started"])
        yield GaugeMetricFamily("workerd_ready", "Whether the service is up.", value=int(daemon["ready"]))
        yield GaugeMetricFamily("workerd_generation", "The code's generation.", value=daemon["generation"] or 0)
        reachable = daemon["database"]["reachable"] is True
        yield GaugeMetricFamily("workerd_database_reachable", "Whether the ledger reaches it.", value=int(reachable))
        lag = daemon["unjournaled"] + daemon["waiting"]
        yield GaugeMetricFamily("workerd_ledger_lag_records", "Records not in the database yet.", value=lag)

    def _about_slots(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("workerd_slots", "Slots, by job and state.", labels=("job", "state"))
        for labels, count in Counter((slot["job_name"], slot["state"]) for slot in self._slots).items():
            states.add_metric(labels, count)
        yield states
        ages, memory = self._worst("last_beat"), self._worst("memory")
        beats = GaugeMetricFamily("workerd_beat_age_seconds", "Since the oldest last beat, by job.", labels=("job",))
        for job, values in ages.items():
            beats.add_metric((job,), max(0.0, time.time() - min(values)))
        yield beats
        grown = GaugeMetricFamily("workerd_memory_mib", "The largest private growth, by job.", labels=("job",))
        for job, values in memory.items():
            grown.add_metric((job,), max(values))
        yield grown

    def _worst(self, field: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for slot in self._slots:
            if slot[field] is not None:
                found.setdefault(slot["job_name"], []).append(slot[field])
        return found

    def _about_the_past(self) -> Iterator[Metric]:
        counters = self._counters
        yield CounterMetricFamily("workerd_log_lines", "Lines of the log.", value=counters["lines"])
        yield CounterMetricFamily("workerd_log_dropped_lines", "Lines lost, output stuck.", value=counters["dropped"])
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
