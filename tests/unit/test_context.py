"""A job's context: turns, stops, beats and what they write on the page."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from workerd import JobContext
from workerd.child import runtime as runtime_module
from workerd.child.beats import LOOP_PAUSE_S, Beats, of_this_thread
from workerd.child.runtime import ProcessRuntime
from workerd.child.stopping import StopRequest
from workerd.child.turns import Turns, as_seconds
from workerd.wire.channel import Channel
from workerd.wire.messages import BecameReady, RecycleAsked
from workerd.wire.page import HeartbeatPage


class Diary:
    """A page that remembers what was written, in order."""

    def __init__(self) -> None:
        self.entries: list[object] = []
        self.processes = 1

    def beat(self) -> None:
        self.entries.append("beat")

    def note_silence(self, begun: float, ended: float) -> None:
        """Nothing that these tests look at."""

    def forget_silence(self) -> None:
        """Nothing that these tests look at."""

    def allow(self, seconds: float | None) -> None:
        self.entries.append(seconds)

    def write_note(self, text: str) -> None:
        self.entries.append(text)

    def count_opened(self) -> None:
        self.entries.append("opened")

    def count_closed(self) -> None:
        self.entries.append("closed")

    @property
    def allowed(self) -> object:
        return [entry for entry in self.entries if not isinstance(entry, str)][-1]


class Alarm(StopRequest):
    """A wish to stop that records waits instead of sleeping, and moves the clock."""

    def __init__(self, clock: SimpleNamespace, late: float = 0.0) -> None:
        super().__init__()
        self.clock = clock
        self.late = late
        self.waits: list[float | None] = []

    def wait(self, seconds: float | None) -> bool:
        self.waits.append(seconds)
        self.clock.now += (seconds or 0) + self.late
        return self.asked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def alarm(clock: SimpleNamespace) -> Iterator[Alarm]:
    alarm = Alarm(clock)
    yield alarm
    alarm.close()


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture(autouse=True)
def refreshed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where turns say that they refreshed the connections."""
    calls: list[str] = []

    async def arefresh_connections() -> None:
        calls.append("refresh")

    monkeypatch.setattr(runtime_module, "refresh_connections", lambda: calls.append("refresh"))
    monkeypatch.setattr(runtime_module, "arefresh_connections", arefresh_connections)
    return calls


def make(page: Any, stop: StopRequest, timeout: float | None = None, sender: Any = None) -> JobContext:
    beats = Beats(page, timeout)
    runtime = ProcessRuntime(beats, stop)
    return JobContext("a-job", 1, "run-1", beats=beats, stop=stop, runtime=runtime, sender=sender, log=None)


@pytest.fixture
def context(diary: Diary) -> Iterator[JobContext]:
    stop = StopRequest()
    yield make(diary, stop)
    stop.close()


def ask(context: JobContext) -> None:
    context._stop.ask()


def test_turns_start_their_time_apart(clock: SimpleNamespace, alarm: Alarm, diary: Diary) -> None:
    context = make(diary, alarm)
    starts = []

    for turn in context.every(5):
        starts.append(clock.now - 1000)
        clock.now += 2
        if turn == 3:
            break

    assert starts == [0, 5, 10, 15]


def test_a_late_turn_starts_at_once_and_none_is_made_up(clock: SimpleNamespace, alarm: Alarm, diary: Diary) -> None:
    starts = []

    for turn in make(diary, alarm).every(5):
        starts.append(clock.now - 1000)
        clock.now += 12 if turn == 1 else 1
        if turn == 3:
            break

    assert starts == [0, 5, 17, 22]


def test_a_duration_may_be_a_timedelta(alarm: Alarm, diary: Diary) -> None:
    for turn in make(diary, alarm).every(timedelta(minutes=1)):
        if turn == 1:
            break

    assert alarm.waits == [60]


def test_a_turn_is_due_again_at_once_without_a_period(clock: SimpleNamespace) -> None:
    turns = Turns(0, lambda: clock.now)
    turns.start_next()

    assert turns.left() == 0


@pytest.mark.parametrize("duration", [-1, math.nan, timedelta(seconds=-1)])
def test_what_no_clock_can_wait_for_is_refused(duration: float | timedelta) -> None:
    with pytest.raises(ValueError, match="is not a duration: give seconds or a timedelta, from 0 up"):
        as_seconds(duration)


def test_turns_end_when_asked_to_stop_and_none_begins_after(context: JobContext) -> None:
    turns = []
    for turn in context.every(0):
        turns.append(turn)
        if turn == 2:
            ask(context)

    assert turns == [0, 1, 2]
    assert list(context.every(0)) == []


def test_each_turn_has_fresh_connections_at_both_ends(context: JobContext, refreshed: list[str]) -> None:
    for turn in context.every(0):
        if turn == 1:
            ask(context)

    assert refreshed == ["refresh"] * 4


def test_after_a_wait_dead_connections_are_dropped_unless_the_job_stops(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their servers may have ended them meanwhile: the next query is not to fail for that."""
    calls: list[str] = []

    async def adrop_dead_connections() -> None:
        calls.append("in the thread of async code")

    monkeypatch.setattr(runtime_module, "drop_dead_connections", lambda: calls.append("here"))
    monkeypatch.setattr(runtime_module, "adrop_dead_connections", adrop_dead_connections)
    context.wait(0)
    context.wait(0.001)
    asyncio.run(context.await_stop(0.001))
    ask(context)
    context.wait(60)
    asyncio.run(context.await_stop(60))

    assert calls == ["here", "in the thread of async code"]


def test_items_end_when_asked_to_stop_and_each_beats(context: JobContext, diary: Diary) -> None:
    items = []
    for item in context.each(range(100)):
        items.append(item)
        if item == 2:
            ask(context)

    assert items == [0, 1, 2]
    assert diary.entries == ["beat"] * 3


def test_a_wait_asks_for_patience_and_beats_at_both_ends(alarm: Alarm, diary: Diary) -> None:
    make(diary, alarm, timeout=30).wait(3600)

    begun, allowed, *rest = diary.entries
    assert begun == "beat"
    assert isinstance(allowed, float)
    assert 3600 < allowed <= 3600 + 60
    assert rest == ["beat", None, "beat"]


def test_a_wait_without_end_asks_for_patience_without_end(alarm: Alarm, diary: Diary) -> None:
    make(diary, alarm).wait()

    assert isinstance(diary.entries[1], float)
    assert diary.entries[1] > 86400 * 365


def test_on_the_real_page_a_wait_is_allowed_and_then_no_more(alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> None:
    page = HeartbeatPage.create()
    seen: list[float | None] = []
    monkeypatch.setattr(alarm, "wait", lambda _seconds: seen.append(page.within))

    context = make(page, alarm, timeout=0.05)
    context.wait(3600)
    context.wait(None)

    assert seen[0] == pytest.approx(3660)
    assert seen[1] is not None
    assert page.within is None
    page.close()


@pytest.mark.parametrize(("late", "expected"), [(0, 7), (9, 9)])
def test_waiting_is_no_silence_but_work_is_and_a_wait_that_ends_late(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, late: float, expected: float
) -> None:
    monkeypatch.setattr("workerd.wire.page._monotonic", lambda: clock.now)
    page, stop = HeartbeatPage.create(), Alarm(clock, late)
    for turn in make(page, stop).every(60):
        clock.now += 7
        if turn == 3:
            break
    longest = page.longest_silence
    page.close()
    stop.close()

    assert longest == pytest.approx(expected)


def test_silence_before_the_job_is_ready_does_not_count(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, alarm: Alarm
) -> None:
    """``start_timeout`` is the limit until then."""
    monkeypatch.setattr("workerd.wire.page._monotonic", lambda: clock.now)
    page = HeartbeatPage.create()
    context = make(page, alarm, sender=SimpleNamespace(send=lambda _: None))
    for call in (context.beat, context.ready, context.beat, context.ready, context.beat):
        call()
        clock.now += 5
    longest = page.longest_silence
    page.close()

    assert longest == 10


def test_the_longer_of_two_waits_keeps_its_patience(diary: Diary) -> None:
    beats = Beats(diary, None)
    with beats.allowance(100, 0):
        with beats.allowance(1, 0):
            pass
        assert diary.allowed == pytest.approx(100, abs=1)
    assert diary.allowed is None


def test_waiting_no_time_only_beats_and_looks(context: JobContext, diary: Diary) -> None:
    assert context.wait(0) is False
    ask(context)
    assert context.wait(0) is True

    assert diary.entries == ["beat", "beat"]


def test_a_beat_notes_first(context: JobContext, diary: Diary) -> None:
    context.beat("shipped 4711")

    assert diary.entries == ["shipped 4711", "beat"]


def test_an_allowance_lasts_until_the_next_beat(context: JobContext, diary: Diary) -> None:
    context.beat(within=timedelta(minutes=10))
    context.beat()
    context.beat()

    assert diary.entries == ["beat", 600.0, "beat", None, "beat"]


def test_readiness_and_the_wish_for_a_successor_are_said_once(diary: Diary) -> None:
    ours, theirs = Channel.pair()
    stop = StopRequest()
    context = make(diary, stop, sender=theirs)
    for _ in range(2):
        context.ready()
        context.recycle()
    theirs.close()

    assert [ours.receive()[0] for _ in range(3)] == [BecameReady(), RecycleAsked(), None]
    ours.close()
    stop.close()


def test_the_number_of_processes_is_the_pages(context: JobContext, diary: Diary) -> None:
    assert context.processes == 1
    diary.processes = 4
    assert context.processes == 4


def test_a_context_says_who_it_is(context: JobContext) -> None:
    assert (context.job_name, context.index, context.run_id, context.stopping) == ("a-job", 1, "run-1", False)
    assert repr(context) == "<JobContext a-job:1 run run-1>"


# in a coroutine


def test_asynchronous_turns_end_when_asked_to_stop(context: JobContext, refreshed: list[str]) -> None:
    async def work() -> list[int]:
        turns = []
        async for turn in context.aevery(0.001):
            turns.append(turn)
            if turn == 2:
                ask(context)
        return turns

    assert asyncio.run(work()) == [0, 1, 2]
    assert refreshed == ["refresh"] * 6


async def numbers() -> AsyncIterator[int]:
    for number in range(100):
        yield number


@pytest.mark.parametrize("make_items", [numbers, lambda: range(100)], ids=["asynchronous", "synchronous"])
def test_asynchronous_items_may_come_from_both_kinds(
    context: JobContext, diary: Diary, make_items: Callable[[], Any]
) -> None:
    async def work() -> list[int]:
        items = []
        async for item in context.aeach(make_items()):
            items.append(item)
            if item == 2:
                ask(context)
        return items

    assert asyncio.run(work()) == [0, 1, 2]
    assert diary.entries == ["beat"] * 3


def test_awaiting_the_stop_ends_with_it_or_with_its_time(context: JobContext) -> None:
    async def work() -> tuple[bool, bool]:
        late = await context.await_stop(0.001)
        asyncio.get_running_loop().call_soon(ask, context)
        return late, await context.await_stop()

    assert asyncio.run(work()) == (False, True)


def test_awaiting_beats_from_the_loop_and_asks_for_little(diary: Diary) -> None:
    stop = StopRequest()
    context = make(diary, stop, timeout=0.3)

    async def work() -> None:
        waiting = asyncio.create_task(context.await_stop(60))
        while len([entry for entry in diary.entries if isinstance(entry, float)]) < 3:
            await asyncio.wait([waiting], timeout=0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(work())

    allowances = [entry for entry in diary.entries if isinstance(entry, float)]
    assert len(allowances) >= 3
    assert max(allowances) <= 0.31
    assert diary.allowed is None
    stop.close()


def test_awaiting_without_a_timeout_beats_seldom(diary: Diary) -> None:
    stop = StopRequest()
    context = make(diary, stop)

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.02, ask, context)
        await context.await_stop()

    begun = time.monotonic()
    asyncio.run(work())

    assert time.monotonic() - begun < LOOP_PAUSE_S
    assert diary.entries.count("beat") <= 3
    stop.close()


def test_a_beat_of_one_thread_is_given_by_no_other() -> None:
    given: list[str] = []
    beat = of_this_thread(lambda: given.append(threading.current_thread().name))
    beat()
    other = threading.Thread(target=beat, name="keeper")
    other.start()
    other.join()

    assert given == [threading.current_thread().name]
