"""A lane keeps what it cannot send, up to a bound, and tells what came of it; the log says so."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.waiting import eventually
from workerd.exporter import lane as module
from workerd.exporter import teller as teller_module
from workerd.exporter.lane import BATCH_LINES, MOST_BYTES, Lane, Sent
from workerd.exporter.main import MISSING, run_exporter
from workerd.exporter.teller import Teller
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.marked_lines import Unpacker
from workerd.wire.messages import Failed, License
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec

MARK = "\x1emark"
LICENSE = License(
    JobSpec(name="workerd.exporter", kwargs={"endpoint": "http://[::1]:1", "state_dir": "/", "version": "1"}).to_dict(),
    0,
    "a-run",
    0,
    "shop",
    "host",
    MARK,
)


class Collector:
    """Answers as it is told; keeps what it has taken."""

    def __init__(self) -> None:
        self.answer: tuple[Sent, str] = (Sent.TAKEN, "")
        self.taken: list[bytes] = []
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def send(self, lines: Sequence[bytes]) -> tuple[Sent, str]:
        self.asked += 1
        self.answers.wait(30)
        if self.answer[0] is Sent.TAKEN:
            self.taken += lines
        return self.answer


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setattr(module, "RETRY_INITIAL_S", 0.01)
    monkeypatch.setattr(module, "RETRY_MAX_S", 0.01)
    return Collector()


@pytest.fixture
def lane(collector: Collector) -> Iterator[Lane]:
    """A lane for lines that are no comment; it is not started."""
    lane = Lane("logs", lambda _own, line: not line.startswith(b"#"), collector.send)
    yield lane
    collector.answers.set()
    lane.end()
    if lane.is_alive:
        lane._thread.join(30)
        assert not lane.is_alive


def fill(lane: Lane, lines: Sequence[bytes], first: int = 1) -> None:
    for number, line in enumerate(lines, first):
        lane.put(number, False, line)


def test_it_sends_in_order_and_tells_up_to_where(lane: Lane, collector: Collector) -> None:
    lines = [b"%d" % number for number in range(BATCH_LINES + 5)]
    fill(lane, lines)
    assert (lane.sent, lane.left) == (0, len(lines))

    lane.start()

    eventually(lambda: lane.sent == len(lines))
    assert collector.taken == lines
    assert lane.left == 0
    lane.put(len(lines) + 1, True, b"# not wanted")
    assert lane.sent == len(lines) + 1


def test_what_could_not_be_sent_is_sent_later_and_once(lane: Lane, collector: Collector) -> None:
    collector.answer = (Sent.FAILED, "500")
    fill(lane, [b"a", b"b"])
    lane.start()
    eventually(lambda: collector.asked > 2)
    fill(lane, [b"c"], first=3)
    assert (lane.sent, lane.left, lane.reason, lane.failing_since is None) == (0, 3, "500", False)

    collector.answer = (Sent.TAKEN, "")

    eventually(lambda: lane.sent == 3)
    assert collector.taken == [b"a", b"b", b"c"]
    assert lane.failing_since is None
    assert lane.take_dropped() == {}


def test_what_is_refused_is_dropped_and_counted(lane: Lane, collector: Collector) -> None:
    collector.answer = (Sent.REFUSED, "400")
    fill(lane, [b"a", b"b"])
    lane.start()

    eventually(lambda: lane.sent == 2)
    assert lane.take_dropped() == {"400": 2}
    assert lane.take_dropped() == {}


def test_of_too_many_the_newest_stay_and_the_others_are_counted(lane: Lane, collector: Collector) -> None:
    collector.answers.clear()
    lane.start()
    fill(lane, [b"first"])
    eventually(lambda: collector.asked)
    many = [b"x" * 100_000 + b"%d" % number for number in range(MOST_BYTES // 100_000 + 10)]
    fill(lane, many, first=2)
    dropped = sum(lane.take_dropped().values())
    assert 10 <= dropped < len(many)
    assert sum(len(line.text) for line in lane._lines) <= MOST_BYTES

    collector.answers.set()

    eventually(lambda: lane.left == 0)
    assert collector.taken == [b"first", *many[dropped:]]


def test_the_end_waits_for_what_is_under_way_but_not_for_a_collector_that_is_away(
    lane: Lane, collector: Collector
) -> None:
    lane.start()
    fill(lane, [b"a"])
    lane.end()
    lane.wait_for_end(30)
    assert (lane.is_alive, collector.taken) == (False, [b"a"])

    away = Lane("logs", lambda _own, _line: True, collector.send)
    collector.answer = (Sent.FAILED, "500")
    away.start()
    fill(away, [b"b"])
    eventually(lambda: away.failing_since is not None)
    away.end()
    away.wait_for_end(30)
    eventually(lambda: not away.is_alive)
    assert away.left == 1


# what the log says


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What a teller has said since the last call, as the daemon reads it."""
    path = tmp_path / "stdout"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    monkeypatch.setattr(teller_module, "STDOUT", descriptor)
    unpacker = Unpacker(lambda _line: None)

    def read() -> list[dict[str, Any]]:
        packets = os.pread(descriptor, 1 << 20, 0).splitlines()
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert all(packet.startswith(MARK.encode()) for packet in packets)
        return [json.loads(unpacker.take(packet[len(MARK) :]) or b"") for packet in packets]

    yield read
    os.close(descriptor)


def test_an_outage_is_said_once_and_so_is_its_end(lane: Lane, said: Callable[[], list[dict[str, Any]]]) -> None:
    teller = Teller(LICENSE)
    lane.failing_since, lane.reason = 1.0, "500 Internal Server Error"
    teller.tell(lane)
    teller.tell(lane)
    (failed,) = said()
    assert [*failed] == ["timestamp", "level", "event", "pid", "job", "slot", "run", "what", "reason"]
    assert (failed["event"], failed["job"], failed["run"], failed["pid"]) == (
        "export.failed",
        "workerd.exporter",
        "a-run",
        os.getpid(),
    )
    lane.failing_since = None
    teller.tell(lane)
    teller.tell(lane)
    (recovered,) = said()
    assert (recovered["event"], recovered["what"]) == ("export.recovered", "logs")
    assert recovered["outage_s"] > 0


def test_drops_are_summed_up(lane: Lane, said: Callable[[], list[dict[str, Any]]]) -> None:
    teller = Teller(LICENSE)
    for _ in range(3):
        teller.dropped("logs", 2, "no room")
        teller.tell(lane)
    assert [(event["event"], event["count"]) for event in said()] == [("export.dropped", 2)]
    teller.dropped("lines", 1, "too fast")
    teller.finish()
    assert [(event["what"], event["count"]) for event in said()] == [("logs", 4), ("lines", 1)]


def test_without_opentelemetry_it_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "workerd.exporter.collector", None)
    ours, theirs = Channel.pair()
    page = HeartbeatPage.create()
    ours.send(LICENSE)

    assert run_exporter(theirs, page) == exit_codes.FAILED

    message, _ = ours.receive()
    assert isinstance(message, Failed)
    assert message.message.startswith(MISSING)
    for opened in (ours, theirs, page):
        opened.close()
