"""The daemon's status in Prometheus's format. A daemon of an older version does not tell each value."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from .figures import FIGURES

__all__ = ["CONTENT_TYPE", "render"]

COUNTED = {
    "connection.opened": "workerd_connections_opened_total",
    "connection.closed": "workerd_connections_closed_total",
    "connection.failed": "workerd_connections_failed_total",
    "connection.discarded": "workerd_connections_discarded_total",
    "seat.lost": "workerd_seats_lost_total",
    "seat.taken_over": "workerd_seats_taken_over_total",
}
TIMED = {
    "child.exited": "workerd_run_seconds",
    "child.born": "workerd_birth_seconds",
    "fork.prepared": "workerd_fork_preparation_seconds",
    "late": "workerd_job_lateness_seconds",
}
FROM_NOUGHT = ("hung", "over_memory")
"""Outcomes that each job has from its start: a rule sees no increase where the first sample of a series is a 1."""
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
        yield from self._of_seats()
        yield from self._of_schedules()
        yield from self._of_ends()
        yield from self._of_the_log()

    def _of_the_daemon(self) -> Iterator[Metric]:
        daemon = self._daemon
        yield _family("workerd_info", {(daemon["name"], daemon["host"], daemon["version"]): 1})
        values = {
            "workerd_start_time_seconds": daemon["started"],
            "workerd_ready": int(daemon["ready"]),
            "workerd_generation": daemon["generation"] or 0,
            "workerd_generation_rejected": int(daemon.get("rejected", False)),
            "workerd_rollout_halted": int(daemon.get("halted", False)),
            "workerd_database_reachable": int(daemon["database"]["reachable"] is True),
            "workerd_ledger_lag_records": daemon["unjournaled"] + daemon["waiting"],
            "workerd_ledger_set_aside_records": daemon["set_aside"],
        }
        if daemon.get("alerts_unsent") is not None:
            values["workerd_alerts_unsent"] = daemon["alerts_unsent"]
        yield from (_family(name, {(): value}) for name, value in values.items())

    def _of_slots(self) -> Iterator[Metric]:
        shown = ((slot["job_name"], RESTING if slot.get("resting") else slot["state"]) for slot in self._slots)
        yield _family("workerd_slots", Counter(shown))
        down: Counter[tuple[str, ...]] = Counter()
        for slot in self._slots:
            if "down" in slot:
                down[slot["job_name"], str(slot["significant"]).lower()] += slot["down"]
        yield _family("workerd_slots_down", down)
        ages = ((job, max(0.0, time.time() - min(beats))) for job, beats in self._values("last_beat"))
        yield _family("workerd_beat_age_seconds", _by_job(ages))
        yield _family("workerd_memory_mib", _by_job((job, max(grown)) for job, grown in self._values("memory")))
        yield from self._of_usage()

    def _of_usage(self) -> Iterator[Metric]:
        for name, field, of_all in (
            ("workerd_cpu_seconds_total", "processor_s", sum),
            ("workerd_open_descriptors", "descriptors", max),
            ("workerd_threads", "threads", max),
        ):
            yield _family(name, _by_job((job, of_all(values)) for job, values in self._values(field)))

    def _of_seats(self) -> Iterator[Metric]:
        of_fleet = [slot for slot in self._slots if slot.get("fleet")]
        held = Counter(slot["job_name"] for slot in of_fleet if slot["token"] is not None)
        yield _family("workerd_seats_held", _by_job(held.items()))
        untaken = Counter({slot["job_name"]: 0 for slot in of_fleet})
        untaken.update(seat["job"] for seat in self._daemon.get("unheld", ()) if "job" in seat)
        yield _family("workerd_seats_untaken", _by_job(untaken.items()))

    def _of_schedules(self) -> Iterator[Metric]:
        for name, field, of_all in (
            ("workerd_job_last_success_timestamp_seconds", "last_success", min),
            ("workerd_job_next_due_timestamp_seconds", "next_due", min),
            ("workerd_job_due_failed", "due_failed", sum),
            ("workerd_job_missed_total", "missed", sum),
        ):
            yield _family(name, _by_job((job, of_all(values)) for job, values in self._values(field)))

    def _of_ends(self) -> Iterator[Metric]:
        jobs = sorted({slot["job_name"] for slot in self._slots})
        ends = {(job, outcome): count for job, outcome, count in self._counters.get("ends", ())}
        nought: dict[tuple[str, ...], float] = dict.fromkeys(product(jobs, FROM_NOUGHT), 0)
        yield _family("workerd_exits_total", nought | ends)
        kills = dict.fromkeys(jobs, 0) | dict(self._counters.get("oom_kills", ()))
        yield _family("workerd_oom_kills_total", _by_job(kills.items()))

    def _of_the_log(self) -> Iterator[Metric]:
        counters = self._counters
        yield _family("workerd_log_lines_total", {(): counters["lines"]})
        yield _family("workerd_log_dropped_lines_total", {(): counters["dropped"]})
        for event, name in COUNTED.items():
            nought: dict[tuple[str, ...], float] = {} if FIGURES[name].labels else {(): 0}
            counts = {tuple(labels): count for kind, *labels, count in counters["events"] if kind == event}
            yield _family(name, nought | counts)
        for event, name in TIMED.items():
            if event in counters["times"]:
                yield _histogram(name, counters["times"][event])

    def _values(self, field: str) -> Iterable[tuple[str, list[float]]]:
        """Return the slots' values of ``field``, by job; slots without one are left out."""
        found: dict[str, list[float]] = {}
        for slot in self._slots:
            if slot.get(field) is not None:
                found.setdefault(slot["job_name"], []).append(slot[field])
        return found.items()


def _by_job(values: Iterable[tuple[str, float]]) -> dict[tuple[str, ...], float]:
    return {(job,): value for job, value in values}


def _family(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    """Return the metric of a row of the table, with a value for each set of labels."""
    row = FIGURES[name]
    make = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family = make(name, row.says, labels=row.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _histogram(name: str, times: dict[str, Any]) -> Metric:
    family, total, buckets = HistogramMetricFamily(name, FIGURES[name].says), 0, []
    for bound, count in zip((*times["bounds"], "+Inf"), times["counts"], strict=True):
        total += count
        buckets.append((str(bound), float(total)))
    family.add_metric((), buckets, times["sum"])
    return family
