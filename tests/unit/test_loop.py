"""The loop: what is ready, what is due, what comes at the end of a turn, and signals."""

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.io.loop import READ, SHARE_S, WRITE, Loop


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def loop(clock: FakeClock) -> Loop:
    return loop_of(clock)


Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    exits = os.pipe()
    yield exits
    for end in exits:
        os.close(end)


def test_timers_fire_when_they_are_due_and_in_order(loop: Loop, clock: FakeClock) -> None:
    fired: list[str] = []
    loop.call_in(3, lambda: fired.append("late"))
    loop.call_in(1, lambda: fired.append("early"))
    loop.call_in(1, lambda: fired.append("early too"))
    clock.advance(2)
    turn(loop)
    before = list(fired)
    clock.advance(2)
    turn(loop)

    assert (before, fired) == (["early", "early too"], ["early", "early too", "late"])


def test_a_timer_fires_once(loop: Loop, clock: FakeClock) -> None:
    fired: list[int] = []
    loop.call_in(1, lambda: fired.append(1))
    for _ in range(3):
        clock.advance(1)
        turn(loop)

    assert fired == [1]


def test_a_cancelled_timer_does_not_fire(loop: Loop, clock: FakeClock) -> None:
    fired: list[int] = []
    timer = loop.call_in(1, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    clock.advance(2)
    turn(loop)

    assert fired == []


def test_a_timer_may_cancel_another_of_the_same_moment(loop: Loop, clock: FakeClock) -> None:
    fired: list[int] = []
    loop.call_in(1, lambda: second.cancel())  # noqa: PLW0108 - made below
    second = loop.call_in(1, lambda: fired.append(2))
    clock.advance(1)
    turn(loop)

    assert fired == []


def test_cancelled_timers_do_not_wake_it(loop: Loop) -> None:
    """A daemon with nothing to do sleeps without an end."""
    for _ in range(5):
        loop.call_in(1, lambda: None).cancel()

    assert loop._patience() is None


def test_what_is_ready_is_called(loop: Loop, pipe: Pipe) -> None:
    seen: list[bytes] = []
    loop.watch(pipe[0], READ, lambda _: seen.append(os.read(pipe[0], 9)))
    os.write(pipe[1], b"hello")
    turn(loop)

    assert seen == [b"hello"]


def test_watching_again_changes_events_and_call(loop: Loop, pipe: Pipe) -> None:
    seen: list[str] = []
    loop.watch(pipe[1], READ, lambda _: seen.append("first"))
    loop.watch(pipe[1], WRITE, lambda _: seen.append("second"))
    turn(loop)

    assert seen == ["second"]


def test_unwatching_what_is_not_watched_is_harmless(loop: Loop, pipe: Pipe) -> None:
    loop.unwatch(pipe[0])
    loop.unwatch(pipe[0])


def test_who_is_unwatched_in_a_turn_is_not_called_in_it(loop: Loop, pipe: Pipe) -> None:
    """Its descriptor may be closed by then, and its number someone else's."""
    seen: list[int] = []
    ours, theirs = socket.socketpair()

    def first(end: int, other: int) -> None:
        seen.append(end)
        loop.unwatch(other)

    left, right = ours.fileno(), theirs.fileno()
    loop.watch(left, WRITE, lambda _: first(left, right))
    loop.watch(right, WRITE, lambda _: first(right, left))
    turn(loop)

    assert len(seen) == 1
    ours.close()
    theirs.close()


def test_a_reused_number_gets_no_event_of_its_predecessor(loop: Loop, pipe: Pipe) -> None:
    seen: list[str] = []
    ours, theirs = socket.socketpair()
    left, right = ours.fileno(), theirs.fileno()

    def replace(end: int, other: int) -> None:
        seen.append("ready")
        loop.unwatch(other)
        os.dup2(pipe[0], other)
        loop.watch(other, READ, lambda _: seen.append("successor, with nothing to read"))

    loop.watch(left, WRITE, lambda _: replace(left, right))
    loop.watch(right, WRITE, lambda _: replace(right, left))
    turn(loop)

    assert seen == ["ready"]
    for sock in (ours, theirs):
        loop.unwatch(sock.fileno())
        sock.close()


def test_a_watch_renewed_in_the_turn_is_still_called_in_it(loop: Loop) -> None:
    """Renewing is how events change; it must not put what is ready off from turn to turn."""
    ours, theirs = socket.socketpair()
    seen: list[int] = []

    class Reader:
        def ready(self, _: int) -> None:
            seen.append(1)

    reader = Reader()
    for sock in (ours, theirs):
        loop.watch(sock.fileno(), WRITE, lambda _: loop.watch(pipe_end, WRITE, reader.ready))
    reading, pipe_end = os.pipe()
    loop.watch(pipe_end, WRITE, reader.ready)
    turn(loop)

    assert seen == [1]
    for descriptor in (reading, pipe_end):
        loop.unwatch(descriptor)
        os.close(descriptor)
    ours.close()
    theirs.close()


def test_soon_is_in_this_turn_and_turn_ends_come_last(loop: Loop, clock: FakeClock) -> None:
    order: list[str] = []
    loop.at_turn_end(lambda: order.append("end"))
    loop.call_in(0, lambda: loop.call_soon(lambda: order.append("soon")))
    turn(loop)

    assert order == ["soon", "end"]


def test_what_a_turn_end_wants_soon_is_done_before_it_sleeps(loop: Loop) -> None:
    done: list[int] = []

    def want_once() -> None:
        if not done:
            loop.call_soon(lambda: done.append(1))

    loop.at_turn_end(want_once)
    turn(loop)

    assert done == [1]


def test_an_error_in_one_call_goes_to_the_guard_and_the_others_are_made() -> None:
    errors: list[Exception] = []
    done: list[str] = []
    loop = Loop(FakeClock(), errors.append)
    loop.call_soon(lambda: 1 / 0)  # type: ignore[arg-type]
    loop.call_soon(lambda: done.append("soon"))
    loop.at_turn_end(lambda: done.append("end"))
    loop.turn()

    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert done == ["soon", "end"]


def test_a_signal_is_a_call_in_the_loop() -> None:
    loop = loop_of()
    seen: list[str] = []
    before = signal.getsignal(signal.SIGUSR1)
    loop.on_signal(signal.SIGUSR1, lambda: seen.append("usr1"))
    loop.catch_signals()
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    at_once = list(seen)
    loop.turn()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR1, before)

    assert (at_once, seen) == ([], ["usr1"])
    _close_wakeup(loop)


def test_a_flood_of_one_signal_hides_no_other() -> None:
    """The socket that wakes the loop holds a few hundred bytes; a byte that did not fit is no lost signal."""
    loop = loop_of()
    seen: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM)}
    loop.on_signal(signal.SIGUSR1, lambda: seen.append("usr1"))
    loop.on_signal(signal.SIGTERM, lambda: seen.append("term"))
    loop.catch_signals()
    for _ in range(5000):
        signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGTERM)
    loop.turn()
    turn(loop)
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)

    assert sorted(seen) == ["term", "usr1"]
    _close_wakeup(loop)


def test_a_call_for_the_next_turn_is_made_without_a_sleep(loop: Loop) -> None:
    turns: list[int] = []
    loop.call_next(lambda: turns.append(1))
    loop.call_next(lambda: loop.call_next(lambda: turns.append(2)))
    loop.turn()
    first = list(turns)
    loop.turn()

    assert (first, turns) == ([1], [1, 2])


@pytest.mark.parametrize("kind", ["ready", "next", "due"])
def test_a_turn_is_short_however_much_there_is_to_do(clock: FakeClock, kind: str) -> None:
    """What it has no time for comes first in the next turn, and all get theirs."""
    loop = loop_of(clock)
    made: list[int] = []
    pairs = [socket.socketpair() for _ in range(20)]

    def work(number: int) -> None:
        clock.advance(SHARE_S / 4)
        made.append(number)

    for number, (ours, _) in enumerate(pairs):
        if kind == "ready":
            loop.watch(ours.fileno(), WRITE, lambda _, number=number: work(number))  # type: ignore[misc]
        elif kind == "next":
            loop.call_next(lambda number=number: work(number))  # type: ignore[misc]
        else:
            loop.call_in(0, lambda number=number: work(number))  # type: ignore[misc]
    counts = []
    for _ in range(5):
        before = len(made)
        turn(loop)
        counts.append(len(made) - before)

    assert counts == [4] * 5
    assert sorted(made) == list(range(20))
    for pair in pairs:
        loop.unwatch(pair[0].fileno())
        for end in pair:
            end.close()


def test_the_wait_for_a_processor_is_in_the_longest_turn_and_not_in_the_busiest(clock: FakeClock) -> None:
    loop = loop_of(clock)

    def work() -> None:
        clock.used += 0.02
        clock.advance(0.3)

    loop.call_in(0, work)
    loop.turn()

    assert loop.longest_turn_s == pytest.approx(0.3)
    assert loop.busiest_turn_s == pytest.approx(0.02)


def test_a_time_in_which_it_could_not_run_pardons_and_its_own_work_does_not(clock: FakeClock) -> None:
    loop = loop_of(clock)
    loop.call_in(0, lambda: None)
    clock.used += 5
    clock.advance(5)
    turn(loop)
    worked_at, after_work = clock.monotonic(), loop.pardon(3.0)
    loop.call_in(0, lambda: None)
    clock.advance(5)
    turn(loop)

    assert after_work < worked_at
    assert loop.pardon(3.0) == clock.monotonic() + 3.0


def test_a_stall_in_the_midst_of_a_turn_pardons_whoever_is_judged_in_the_same_turn(clock: FakeClock) -> None:
    loop = loop_of(clock)
    pardons: list[float] = []
    loop.call_soon(lambda: clock.advance(5))
    loop.call_soon(lambda: pardons.append(loop.pardon(3.0) - clock.monotonic()))
    loop.turn()

    assert pardons == [3.0]


def test_a_second_stall_adds_to_what_is_left_of_the_first(clock: FakeClock) -> None:
    loop = loop_of(clock)
    for stalled_s, ran_s in ((20.0, 4.0), (1.0, 0.0)):
        loop.call_soon(partial(clock.advance, stalled_s))
        loop.turn()
        loop.call_in(ran_s, lambda: None)
        clock.advance(ran_s)
        loop.turn()

    assert loop.pardon(60.0) - clock.monotonic() == pytest.approx(17.0)


def _close_wakeup(loop: Loop) -> None:
    loop._woken.close()
    loop._waker.close()


def test_it_runs_until_it_is_stopped(loop: Loop) -> None:
    turns: list[int] = []
    loop.at_turn_end(lambda: turns.append(1))
    loop.call_soon(loop.stop)
    loop.run()

    assert turns == [1]
