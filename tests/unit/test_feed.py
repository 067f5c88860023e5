"""The lines that wait for the exporter: numbered, bounded, and marked where the daemon wrote them."""

from tests.harness.fakes import Lines
from workerd.daemon.io.feed import ANSWER_BYTES, ANSWER_LINES, FEED_BYTES, OTHER, OWN, Feed
from workerd.daemon.io.log import EventLog

LONG = b"x" * 1000


def fill(feed: Feed, count: int, line: bytes = b"a") -> None:
    for _ in range(count):
        feed.append(line, own=False)


def test_it_gives_what_comes_after_a_number() -> None:
    feed = Feed()
    for line in (b"a", b"b", b"c"):
        feed.append(line, own=line == b"b")

    assert feed.after(0) == (1, [OTHER + b"a", OWN + b"b", OTHER + b"c"])
    assert feed.after(2) == (3, [OTHER + b"c"])
    assert feed.after(3) == (4, [])
    assert feed.after(99)[1] == []


def test_what_is_sent_is_forgotten_and_not_given_again() -> None:
    feed = Feed()
    fill(feed, 3)
    feed.forget(2)

    assert feed.after(0) == (3, [OTHER + b"a"])
    feed.forget(99)
    fill(feed, 1, b"b")
    assert feed.after(0) == (4, [OTHER + b"b"])


def test_of_too_many_the_newest_stay_and_the_numbers_tell_the_gap() -> None:
    feed, count = Feed(), 10_000
    fill(feed, count, LONG)
    first, _ = feed.after(0)

    assert 1 < first < count
    assert sum(len(line) for _, line in feed._lines) <= FEED_BYTES
    assert feed.after(count - 1) == (count, [OTHER + LONG])


def test_an_answer_is_bounded_and_one_long_line_is_one() -> None:
    feed = Feed()
    fill(feed, 1000)
    assert len(feed.after(0)[1]) == ANSWER_LINES
    feed.forget(1000)
    fill(feed, 1000, LONG)
    assert len(b"".join(feed.after(0)[1])) <= ANSWER_BYTES + ANSWER_LINES
    feed.forget(2000)
    fill(feed, 2, b"y" * (ANSWER_BYTES + 1))
    assert len(feed.after(0)[1]) == 1


def test_the_log_tells_its_own_lines_from_those_of_a_job() -> None:
    log = EventLog(Lines(), console=False)
    log.feed = Feed()
    log.relay(b'{"event":"child.exited","pid":1}')
    log.emit("child.exited", outcome="finished")

    assert [line[:1] for line in log.feed.after(0)[1]] == [OTHER, OWN]
