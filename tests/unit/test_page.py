"""The heartbeat page: one writer, one reader, no lock between them; nothing that a child writes harms the daemon."""

import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.fakes import FakeClock
from tests.harness.properties import examples
from workerd.wire.page import MAX_NOTE_BYTES, NO_SILENCE_S, PAGE_BYTES, HeartbeatPage

LOOKS = 20_000


@pytest.fixture
def page() -> Iterator[HeartbeatPage]:
    page = HeartbeatPage.create()
    yield page
    page.close()


def in_a_child(work: Callable[[], object]) -> int:
    """Fork a process that does ``work`` until it is killed, and return its pid once it has begun."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        work()
        os.write(writing, b"1")
        while True:
            work()
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_fresh_page_says_nothing(page: HeartbeatPage) -> None:
    assert (page.last_beat, page.within, page.read_note(), page.processes) == (0, None, "", 0)
    assert page.longest_silence is None


def test_a_beat_is_the_monotonic_time_of_it(page: HeartbeatPage) -> None:
    before = time.monotonic()
    page.beat()

    assert before <= page.last_beat <= time.monotonic()


@pytest.mark.parametrize("scribbled", [math.inf, math.nan, -1.0, 1e300, time.monotonic() + 3600])
def test_what_is_no_time_that_was_is_no_beat_and_no_silence(page: HeartbeatPage, scribbled: float) -> None:
    """A job that scribbles over its page could otherwise never be found to hang."""
    page._times[0] = page._times[7] = scribbled

    assert (page.last_beat, page.longest_silence) == (0.0, None)


def test_a_reader_sees_every_beat_whole_while_another_process_writes(page: HeartbeatPage) -> None:
    page.beat()
    first = page.last_beat
    pid = in_a_child(page.beat)
    seen = [page.last_beat for _ in range(LOOKS)]
    end(pid)

    assert min(seen) >= first
    assert seen == sorted(seen)
    assert seen[-1] > first


def test_a_reader_sees_every_beat_whole_while_another_thread_writes(page: HeartbeatPage) -> None:
    page.beat()
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            page.beat()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [page.last_beat for _ in range(LOOKS)]
    done.set()
    writer.join()

    assert 0 not in seen


@pytest.mark.parametrize("size", [0, 1, PAGE_BYTES - 1, PAGE_BYTES + 1])
def test_nobody_can_change_its_size(page: HeartbeatPage, size: int) -> None:
    """A truncated page is a SIGBUS for whoever looks at it: a job could end the daemon."""
    with pytest.raises(PermissionError):
        os.ftruncate(page.descriptor, size)


def test_its_descriptor_is_close_on_exec(page: HeartbeatPage) -> None:
    assert not os.get_inheritable(page.descriptor)


@pytest.mark.parametrize(("seconds", "expected"), [(90, 90.0), (0.25, 0.25), (None, None), (1e-12, 1e-9), (0, 1e-9)])
def test_an_allowance_is_read_as_it_was_asked_for(
    page: HeartbeatPage, seconds: float | None, expected: float | None
) -> None:
    page.allow(5)
    page.allow(seconds)

    assert page.within == expected


@pytest.mark.parametrize("seconds", [-5.0, 1e300, float("inf"), float("nan")])
def test_an_absurd_allowance_is_no_error(page: HeartbeatPage, seconds: float) -> None:
    page.allow(seconds)

    assert page.within is not None
    assert page.within > 0


def test_the_daemon_tells_how_many_processes_are_wanted(page: HeartbeatPage) -> None:
    other = HeartbeatPage(os.dup(page.descriptor))
    page.want_processes(7)

    assert other.processes == 7
    other.close()


def test_another_process_reads_and_writes_the_same_page(page: HeartbeatPage) -> None:
    pid = os.fork()
    if pid == 0:
        page.write_note("hello from the child")
        os._exit(0)
    os.waitpid(pid, 0)

    assert page.read_note() == "hello from the child"


def test_what_a_detached_page_is_told_goes_nowhere(page: HeartbeatPage) -> None:
    """It still says how many processes are wanted."""
    page.beat()
    page.write_note("the child's own")
    before = bytes(page._bytes)
    pid = os.fork()
    if pid == 0:
        page.detach()
        page.beat()
        page.allow(600)
        page.write_note("the fork's")
        page.count_opened()
        page.count_closed()
        page.want_processes(3)
        os._exit(page.processes)
    _, status = os.waitpid(pid, 0)

    assert bytes(page._bytes) == before
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_deadline_of_a_seat_is_the_daemons_word(page: HeartbeatPage) -> None:
    assert page.deadline_ns == 0
    page.hold_until(27.9)
    assert page.deadline_ns == 27_900_000_000
    page.hold_until(math.inf)

    assert page.deadline_ns == 0


def test_no_note_reaches_the_deadline(page: HeartbeatPage) -> None:
    page.hold_until(5.0)
    page.write_note("x" * 2 * MAX_NOTE_BYTES)
    page.beat()

    assert page.deadline_ns == 5_000_000_000


def test_a_detached_page_still_shows_the_deadline(page: HeartbeatPage) -> None:
    pid = os.fork()
    if pid == 0:
        page.detach()
        page.write_note("the fork is ready")
        deadline = time.monotonic() + 30
        while page.deadline_ns != 7_000_000_000 and time.monotonic() < deadline:
            os.sched_yield()
        os._exit(page.deadline_ns != 7_000_000_000)
    page.hold_until(7.0)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0


@settings(max_examples=examples(50))
@given(st.text(st.characters(), max_size=600))
def test_any_text_can_be_a_note_and_is_cut(text: str) -> None:
    page = HeartbeatPage.create()
    page.write_note(text)
    note = page.read_note()
    page.close()
    whole = text.encode("utf-8", "replace").decode()

    assert note == whole or len(whole.encode()) > MAX_NOTE_BYTES
    assert whole.startswith(note.rstrip("\ufffd"))
    assert len(note) <= MAX_NOTE_BYTES


def test_a_shorter_note_leaves_nothing_of_a_longer_one(page: HeartbeatPage) -> None:
    page.write_note("a rather long note")
    page.write_note("short")

    assert page.read_note() == "short"


def test_a_note_in_motion_is_never_an_error(page: HeartbeatPage) -> None:
    texts = ["é" * 200, "shipped 7", ""]
    pid = in_a_child(lambda: deque(map(page.write_note, texts)))
    seen = {page.read_note() for _ in range(2_000)}
    end(pid)

    assert all(isinstance(note, str) for note in seen)
    assert seen & set(texts)


@settings(max_examples=examples(25))
@given(st.binary(min_size=1, max_size=200))
def test_a_scribbled_page_reads_as_something(scribble: bytes) -> None:
    page = HeartbeatPage.create()
    page._bytes[:] = (scribble * PAGE_BYTES)[:PAGE_BYTES]
    read = (page.last_beat, page.within, page.read_note(), page.processes, page.longest_silence)
    page.close()

    assert isinstance(read[2], str)


def test_a_writer_that_died_in_the_middle_of_a_note_spoils_no_later_one(page: HeartbeatPage) -> None:
    page.write_note("before")
    page._words[3] |= 1  # the sequence of a note in motion
    torn = page.read_note()
    page.write_note("after")

    assert (torn, page.read_note(), page._words[3] & 1) == ("before", "after", 0)


def test_closing_twice_is_closing_once() -> None:
    page = HeartbeatPage.create()
    page.close()
    page.close()

    assert page.descriptor == -1


# silence


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock(now=1000.0)
    monkeypatch.setattr("workerd.wire.page._monotonic", lambda: clock.now)
    return clock


def beat_after(page: HeartbeatPage, clock: FakeClock, *pauses: float) -> None:
    for seconds in pauses:
        clock.advance(seconds)
        page.beat()


PAUSES = st.lists((st.integers(0, 10_240) | st.integers(0, 10)).map(lambda parts: parts / 1024), max_size=50)
"""In 1024ths of a second: sums and differences of these are exact."""


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAUSES)
def test_the_longest_silence_is_the_longest_time_between_two_beats(clock: FakeClock, pauses: list[float]) -> None:
    page = HeartbeatPage.create()
    moments = []
    for seconds in [5.0, *pauses]:  # there is no silence before the first
        beat_after(page, clock, seconds)
        moments.append(clock.now)
    longest = max((after - before for before, after in pairwise(moments)), default=0.0)
    found = page.longest_silence
    page.close()

    assert found == (longest if longest > NO_SILENCE_S else None)


def test_silence_that_was_allowed_is_none(page: HeartbeatPage, clock: FakeClock) -> None:
    beat_after(page, clock, 1.0, 2.0)
    page.allow(60)
    beat_after(page, clock, 50.0)
    page.allow(None)
    beat_after(page, clock, 3.0)

    assert page.longest_silence == 3.0


def test_silence_is_forgotten_on_request(page: HeartbeatPage, clock: FakeClock) -> None:
    beat_after(page, clock, 1.0, 30.0)
    clock.advance(20)
    page.forget_silence()
    forgotten = page.longest_silence
    beat_after(page, clock, 2.0)

    assert (forgotten, page.longest_silence) == (None, 2.0)


def test_a_beat_of_another_process_on_the_page_ends_a_silence(page: HeartbeatPage, clock: FakeClock) -> None:
    """As those of a group do."""
    other = HeartbeatPage(os.dup(page.descriptor))
    beat_after(page, clock, 1.0)
    beat_after(other, clock, 4.0)
    beat_after(page, clock, 5.0)
    beat_after(other, clock, 3.0)

    assert page.longest_silence == other.longest_silence == 5.0
    other.close()
