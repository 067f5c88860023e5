"""The wish to stop: every kind of sleep hears it at once, and nothing else wakes one."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from workerd.child.stopping import StopRequest

SOON_S = 30.0


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """Listens to USR1."""
    request = StopRequest()
    request.listen({signal.SIGUSR1})
    yield request
    request.close()


def send(number: int = signal.SIGUSR1) -> None:
    os.kill(os.getpid(), number)


def test_a_wait_ends_when_its_time_is_over(stop: StopRequest) -> None:
    begun = time.monotonic()

    assert stop.wait(0.01) is False
    assert time.monotonic() - begun >= 0.01


def test_a_signal_before_the_sleep_is_not_lost(stop: StopRequest) -> None:
    send()

    assert stop.asked
    assert stop.wait(SOON_S) is True


def test_a_signal_between_looking_and_sleeping_is_not_lost(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    look = stop.check

    def look_and_be_signalled() -> bool:
        seen = look()
        if not seen:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return seen

    monkeypatch.setattr(stop, "check", look_and_be_signalled)
    begun = time.monotonic()

    assert stop.wait(SOON_S) is True
    assert time.monotonic() - begun < SOON_S


def test_a_signal_during_the_sleep_wakes_it(stop: StopRequest) -> None:
    threading.Timer(0.02, send).start()
    begun = time.monotonic()

    assert stop.wait(None) is True
    assert time.monotonic() - begun < SOON_S


def test_every_thread_that_sleeps_is_woken(stop: StopRequest) -> None:
    heard: list[bool] = []
    threads = [threading.Thread(target=lambda: heard.append(stop.wait(SOON_S))) for _ in range(5)]
    for thread in threads:
        thread.start()
    send()
    for thread in threads:
        thread.join()

    assert heard == [True] * 5


def test_a_thread_hears_a_signal_that_the_main_thread_has_no_time_for(stop: StopRequest) -> None:
    heard: list[bool] = []
    thread = threading.Thread(target=lambda: heard.append(stop.wait(SOON_S)))
    thread.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # so that only the C handler of the other thread runs
    try:
        send()
        thread.join()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

    assert heard == [True]


def test_another_signal_wakes_no_sleep(stop: StopRequest) -> None:
    seen: list[int] = []
    former = signal.signal(signal.SIGUSR2, lambda number, _frame: seen.append(number))
    try:
        timer = threading.Timer(0.01, send, [signal.SIGUSR2])
        timer.start()

        assert stop.wait(0.1) is False
        timer.join()
        assert seen == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, former)


def test_thousands_of_other_signals_do_not_hide_the_one(stop: StopRequest) -> None:
    former = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        for _ in range(5000):
            send(signal.SIGUSR2)
        send()

        assert stop.wait(SOON_S) is True
    finally:
        signal.signal(signal.SIGUSR2, former)


def test_a_second_signal_is_harmless(stop: StopRequest) -> None:
    send()
    send()

    assert stop.wait(SOON_S) is True


def test_code_without_a_context_is_interrupted_once(stop: StopRequest) -> None:
    stop.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        send()
    send()

    assert stop.asked


def test_the_impatient_are_heard_at_the_second_signal() -> None:
    stop = StopRequest(impatient=True)
    stop.listen({signal.SIGUSR1})
    try:
        send()
        with pytest.raises(KeyboardInterrupt):
            send()
    finally:
        stop.close()


def test_the_event_of_a_loop_is_set() -> None:
    stop = StopRequest()
    stop.listen({signal.SIGUSR1})

    async def wait() -> None:
        asyncio.get_running_loop().call_later(0.01, send)
        await asyncio.wait_for(stop.event().wait(), SOON_S)
        assert stop.event() is stop.event()

    try:
        asyncio.run(wait())
        asyncio.run(asyncio.wait_for(_event_of(stop), SOON_S))  # a second loop hears it too
    finally:
        stop.close()


async def _event_of(stop: StopRequest) -> None:
    await stop.event().wait()


def test_a_loop_without_readers_is_told_all_the_same(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NotImplementedError

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "add_reader", refuse)
        loop.call_later(0.01, stop.ask)
        await asyncio.wait_for(stop.event().wait(), SOON_S)

    asyncio.run(wait())


def test_closing_gives_the_signals_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    stop = StopRequest()
    stop.listen({signal.SIGUSR1})
    stop.close()

    assert signal.getsignal(signal.SIGUSR1) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_reaches_a_fork_however_young_it_is_and_nobody_else(stop: StopRequest) -> None:
    for _ in range(50):
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        os.kill(child, signal.SIGUSR1)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == -signal.SIGUSR1
    assert not stop.check()


def test_a_signal_that_comes_during_a_fork_interrupts_the_job_after_it() -> None:
    os.register_at_fork(before=_send_once)  # hooks run backwards: after the one of the StopRequest
    stop = StopRequest()
    stop.listen({signal.SIGUSR1})
    stop.interrupts = True

    try:
        with pytest.raises(KeyboardInterrupt):
            _fork_and_wait()
    finally:
        stop.close()


_to_send: list[int] = [signal.SIGUSR1]


def _send_once() -> None:
    if _to_send:  # to this thread: another one might take it, where an earlier test has left one
        signal.pthread_kill(threading.get_ident(), _to_send.pop())


def _fork_and_wait() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def test_the_end_leaves_what_the_job_has_set_in_its_place() -> None:
    def own(*_: object) -> None: ...

    stop = StopRequest()
    stop.listen({signal.SIGUSR1, signal.SIGUSR2})
    before = signal.signal(signal.SIGUSR1, own)
    try:
        stop.close()

        assert signal.getsignal(signal.SIGUSR1) is own
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert before == stop._on_signal


def test_what_a_job_forks_has_signals_of_its_own(stop: StopRequest) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL and not stop.wait(0.01) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert not stop.asked


def test_a_job_that_closes_our_descriptors_is_heard_all_the_same(stop: StopRequest) -> None:
    """Their numbers may be other files' by then: nothing is written there, read there, or closed."""
    numbers = [stop._pipe.reader.fileno(), stop._pipe.writer.fileno()]
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    for number in numbers:
        os.dup2(writing, number)
    assert not stop.check()
    threading.Timer(0.02, send).start()

    assert stop.wait(SOON_S) is True
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    assert [os.fstat(number).st_ino for number in numbers] == [os.fstat(writing).st_ino] * 2
    for number in (reading, writing, *numbers):
        os.close(number)


def test_our_descriptors_are_out_of_the_way_of_the_jobs(stop: StopRequest) -> None:
    assert min(stop._pipe.reader.fileno(), stop._pipe.writer.fileno()) > 900
