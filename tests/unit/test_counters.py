"""What the observer is told of the past: counted from the log's lines as they go by."""

import json
from typing import Any

from workerd.daemon.node.observer import _LABELS, _TIMES, MOST_SERIES, Counters
from workerd.observer.figures import FIGURES
from workerd.observer.metrics import COUNTED, TIMED


def line(name: str, **fields: Any) -> bytes:
    head = {"timestamp": "2026-01-01T00:00:00.000000Z", "level": "info", "event": name}
    return json.dumps({**head, **fields}, separators=(",", ":")).encode()


def test_connections_are_counted_by_what_they_are() -> None:
    counters = Counters()
    counters.count_line(line("connection.closed", alias="default", reason="max_age"))
    counters.count_line(line("connection.failed", alias="default", error="OperationalError", message="refused"))

    events = counters.snapshot()["events"]
    assert ["connection.closed", "default", "max_age", 1] in events
    assert ["connection.failed", "default", "OperationalError", 1] in events


def test_times_fall_into_the_bucket_whose_bound_they_reach() -> None:
    counters = Counters()
    for seconds in (0.1, 0.2, 10**7):
        counters.count_line(line("child.exited", outcome="finished", seconds=seconds))
    counters.count_line(line("child.born", spare=True, ms=None))

    times = counters.snapshot()["times"]["child.exited"]
    assert times["counts"][:2] == [1, 1]
    assert times["counts"][-1] == 1
    assert sum(counters.snapshot()["times"]["child.born"]["counts"]) == 0


def test_drops_are_added_up_and_every_line_is_counted() -> None:
    counters = Counters()
    for line_read in (line("log.dropped", lines=7), line("log.dropped", lines=3), line("a.job.says"), b"nonsense", b""):
        counters.count_line(line_read)

    assert (counters.snapshot()["lines"], counters.snapshot()["dropped"]) == (5, 10)


def test_what_a_job_says_in_our_name_breaks_nothing_and_grows_nothing_without_bound() -> None:
    counters = Counters()
    for number in range(2 * MOST_SERIES):
        counters.count_line(line("connection.opened", alias=f"made up {number}"))
    for line_read in (
        b'{"event":"child.exited',
        b'{"event":"child.exited"}',
        line("log.dropped", lines="many"),
        b'{"event":"',
    ):
        counters.count_line(line_read)

    events = counters.snapshot()["events"]
    assert len(events) <= MOST_SERIES + 2
    assert ["connection.opened", "other", MOST_SERIES] in events


def test_what_is_counted_is_what_is_shown() -> None:
    assert {event: FIGURES[name].labels for event, name in COUNTED.items()} == _LABELS
    assert set(TIMED) == set(_TIMES)
