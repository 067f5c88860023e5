"""What the ledger is to write: kept until it is safe, newest only, in order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.io.link import Link
from workerd.daemon.io.records import OUTBOX_MESSAGES, RecordQueue
from workerd.daemon.io.versions import Versions
from workerd.wire.channel import Channel
from workerd.wire.messages import Record


class Ledger:
    """The other end: what it has read, and what it is sent while it does not read."""

    def __init__(self) -> None:
        self.loop = loop_of()
        ours, self.theirs = Channel.pair()
        self.theirs.socket.setblocking(False)
        self.link = Link(self.loop, ours, _no_message, lambda: None, _no_message)

    def read(self) -> list[Record]:
        """Read all that is there, and let the daemon's end send what waited."""
        got: list[Record] = []
        while True:
            try:
                message, _ = self.theirs.receive()
            except BlockingIOError:
                if not self.link.waiting:
                    return got
                turn(self.loop)
                continue
            assert isinstance(message, Record)
            got.append(message)

    def close(self) -> None:
        self.link.close()
        self.theirs.close()


def _no_message(message: Any) -> None:
    raise AssertionError(message)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger()
    yield ledger
    ledger.close()


@pytest.fixture
def records(tmp_path: Path) -> RecordQueue:
    return RecordQueue(Versions(tmp_path / "shop.epoch", FakeClock()))


def brief(got: list[Record]) -> list[tuple[str, Any]]:
    return [(record.key, record.row and record.row["n"]) for record in got]


def put(records: RecordQueue, *rows: tuple[str, int]) -> None:
    for key, number in rows:
        records.add("run", key, {"n": number})


def test_only_the_newest_row_of_a_key_is_sent(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1), ("b", 1), ("a", 2))
    records.flush(ledger.link)

    assert brief(ledger.read()) == [("b", 1), ("a", 2)]


def test_the_same_key_of_another_kind_is_another_row(records: RecordQueue, ledger: Ledger) -> None:
    records.add("run", "a", {"n": 1})
    records.add("slot", "a", {"n": 2})
    records.flush(ledger.link)

    assert [(record.kind, record.key) for record in ledger.read()] == [("run", "a"), ("slot", "a")]


def test_a_row_that_is_gone_is_sent_as_none(records: RecordQueue, ledger: Ledger) -> None:
    records.add("slot", "a", None)
    records.flush(ledger.link)

    assert [record.row for record in ledger.read()] == [None]


def test_nothing_is_sent_twice(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1))
    records.flush(ledger.link)
    records.flush(ledger.link)

    assert len(ledger.read()) == 1


def test_versions_and_sequences_grow(records: RecordQueue, ledger: Ledger) -> None:
    put(records, *((str(number), number) for number in range(20)))
    records.flush(ledger.link)
    got = ledger.read()

    assert [record.version for record in got] == sorted({record.version for record in got})
    assert [record.sequence for record in got] == sorted({record.sequence for record in got})


def test_what_is_acknowledged_is_forgotten(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1), ("b", 1))
    records.flush(ledger.link)
    first, _ = ledger.read()
    records.acknowledge(first.sequence)
    records.send_again()
    records.flush(ledger.link)

    assert brief(ledger.read()) == [("b", 1)]


def test_what_changed_after_it_was_sent_outlives_the_acknowledgement(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1))
    records.flush(ledger.link)
    (sent,) = ledger.read()
    put(records, ("a", 2))
    records.acknowledge(sent.sequence)
    records.flush(ledger.link)

    assert brief(ledger.read()) == [("a", 2)]


def test_a_new_ledger_gets_all_that_none_has_acknowledged(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1), ("b", 1))
    records.flush(ledger.link)
    ledger.read()
    records.send_again()
    records.flush(ledger.link)

    assert brief(ledger.read()) == [("a", 1), ("b", 1)]


def test_rows_are_sent_again_in_the_order_of_their_sequences(records: RecordQueue, ledger: Ledger) -> None:
    """A ledger acknowledges "up to": one that dies between two batches must not have promised a row it never had."""
    put(records, ("a", 1), ("b", 1), ("a", 2))
    records.send_again()
    records.flush(ledger.link)
    sequences = [record.sequence for record in ledger.read()]

    assert sequences == sorted(sequences)


def test_a_ledger_that_does_not_read_is_not_buried_under_old_rows(records: RecordQueue, ledger: Ledger) -> None:
    for number in range(20_000):
        put(records, (str(number % 2_000), number))
        records.flush(ledger.link)

    assert ledger.link.waiting == OUTBOX_MESSAGES
    assert records.unacknowledged == 2_000


def test_everything_arrives_once_a_slow_ledger_reads_on(records: RecordQueue, ledger: Ledger) -> None:
    put(records, *((str(number), number) for number in range(2_000)))
    got: list[Record] = []
    while len(got) < 2_000:
        records.flush(ledger.link)
        got += ledger.read()

    assert brief(got) == [(str(number), number) for number in range(2_000)]


def test_without_a_ledger_everything_is_kept(records: RecordQueue, ledger: Ledger) -> None:
    put(records, ("a", 1))
    records.flush(None)
    records.flush(ledger.link)

    assert brief(ledger.read()) == [("a", 1)]


def test_a_row_is_safe_once_the_journal_has_its_newest_version(records: RecordQueue, ledger: Ledger) -> None:
    told: list[bool] = []
    records.on_safe.add(lambda: told.append(records.is_safe("run", "a")))
    assert records.is_safe("run", "a")
    put(records, ("a", 1), ("b", 1))
    assert not records.is_safe("run", "a")
    records.flush(ledger.link)
    first, _ = ledger.read()
    put(records, ("a", 2))
    records.acknowledge(first.sequence)
    assert not records.is_safe("run", "a")
    records.flush(ledger.link)
    records.acknowledge(ledger.read()[-1].sequence)

    assert records.is_safe("run", "a")
    assert told == [False, True]
