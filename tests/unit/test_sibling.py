"""A sibling is what os.fork() makes, but for its parent: each fact is tried in both ways."""

import ctypes
import errno
import faulthandler
import gc
import importlib
import logging
import mmap
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.forks import WAYS, Life, live

pytestmark = pytest.mark.parametrize("way", WAYS)
libc = ctypes.CDLL(None, use_errno=True)
ERRORCHECK, ROBUST, SHARED = 2, 1, 1
MUTEX_BYTES = 64
NOBODY = 65534


def test_hooks_of_a_fork_run_once_and_in_order(way: str) -> None:
    calls: list[str] = []

    def prepare() -> None:
        for number in "12":
            os.register_at_fork(
                before=lambda number=number: calls.append(f"before {number}"),
                after_in_child=lambda number=number: calls.append(f"child {number}"),
                after_in_parent=lambda number=number: calls.append(f"parent {number}"),
            )

    before = ["before 2", "before 1"]
    assert live(way, lambda: calls, lambda: calls, prepare) == Life(
        [*before, "child 1", "child 2"], [*before, "parent 1", "parent 2"], 0
    )


def test_a_hook_that_raises_stops_no_fork(way: str, capfd: pytest.CaptureFixture[str]) -> None:
    def prepare() -> None:
        sys.unraisablehook = sys.__unraisablehook__  # pytest has put its own in its place
        os.register_at_fork(before=lambda: 1 / 0, after_in_child=lambda: 1 / 0, after_in_parent=lambda: 1 / 0)

    assert live(way, lambda: "born", lambda: "goes on", prepare) == Life("born", "goes on", 0)
    assert capfd.readouterr().err.count("ZeroDivisionError") == 3


def test_the_one_thread_of_a_child_is_its_main_thread(way: str) -> None:
    def look() -> list[object]:
        own = [threading.main_thread() is threading.current_thread(), libc.gettid() == os.getpid()]
        return [*own, threading.active_count(), len(list(Path("/proc/self/task").iterdir()))]

    assert live(way, look).child == [True, True, 1, 1]


def test_a_child_starts_threads_that_import_and_log(way: str) -> None:
    """Python takes the locks of imports and of logging around a fork, and frees them in the child."""

    def work() -> list[str]:
        done: list[str] = []

        def run() -> None:
            logging.getLogger("tests").handlers[:] = [logging.NullHandler()]
            done.append(importlib.import_module("tabnanny").__name__)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(10)
        return done

    assert live(way, work).child == ["tabnanny"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV])
def test_a_child_ends_by_the_signal_that_it_raises(way: str, number: int) -> None:
    """raise(3) and abort(3) go by what libc takes for the number of the thread."""

    def end() -> None:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(number, signal.SIG_DFL)
        if number == signal.SIGABRT:
            os.abort()
        signal.raise_signal(number)

    assert live(way, end).end == -number


def test_a_signal_to_a_thread_of_a_child_arrives(way: str) -> None:
    def work() -> list[int]:
        heard: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return heard

    assert live(way, work).child == [signal.SIGUSR1]


def test_locks_of_libc_know_their_owner(way: str) -> None:
    def work() -> list[int]:
        mutex = _mutex(ctypes.create_string_buffer(MUTEX_BYTES), libc.pthread_mutexattr_settype, ERRORCHECK)
        return [libc.pthread_mutex_lock(mutex), libc.pthread_mutex_lock(mutex), libc.pthread_mutex_unlock(mutex)]

    assert live(way, work).child == [0, errno.EDEADLK, 0]


def test_a_robust_lock_of_a_dead_child_is_given_to_the_next(way: str) -> None:
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    buffer = (ctypes.c_char * MUTEX_BYTES).from_buffer(shared)
    mutex = _mutex(buffer, libc.pthread_mutexattr_setrobust, ROBUST)

    life = live(way, lambda: libc.pthread_mutex_lock(mutex))

    assert (life.child, libc.pthread_mutex_trylock(mutex)) == (0, errno.EOWNERDEAD)


def test_random_numbers_of_a_process_are_its_own(way: str) -> None:
    life = live(way, random.random, random.random)

    assert life.child != life.forker


def test_a_child_and_its_programs_hear_every_signal(way: str) -> None:
    words = "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"

    def work() -> list[object]:
        printed = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
        return [len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), printed.strip()]

    assert live(way, work, work) == Life([0, "0"], [0, "0"], 0)


def test_a_hook_that_blocks_signals_for_the_fork_frees_them_afterwards(way: str) -> None:
    masks: list[set[int]] = []

    def prepare() -> None:
        def restore() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

        os.register_at_fork(
            before=lambda: masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))),
            after_in_child=restore,
            after_in_parent=restore,
        )

    def look() -> int:
        return len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    assert live(way, look, look, prepare) == Life(0, 0, 0)


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_as_before(way: str, collects: bool) -> None:
    prepare = gc.enable if collects else gc.disable

    assert live(way, gc.isenabled, gc.isenabled, prepare) == Life(collects, collects, 0)


def test_a_child_may_fork_in_its_turn(way: str) -> None:
    def work() -> int:
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert live(way, work).child == 7


def test_a_fork_that_the_kernel_refuses_raises_and_the_parent_goes_on(way: str) -> None:
    told: list[str] = []

    def prepare() -> None:
        os.register_at_fork(after_in_parent=lambda: told.append("parent"), after_in_child=lambda: told.append("child"))
        if os.geteuid() == 0:  # the limit is not for root
            os.setuid(NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    def fork() -> list[object]:
        with pytest.raises(BlockingIOError) as refused:
            WAYS[way]()()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return [refused.value.errno, told, gc.isenabled(), len(mask)]

    def prepare_and_fork() -> list[object]:
        prepare()
        return fork()

    assert live("os.fork", prepare_and_fork).child == [errno.EAGAIN, ["parent"], True, 0]


def _mutex(buffer: "ctypes.Array[ctypes.c_char]", set_attribute: Callable[..., int], value: int) -> object:
    attributes = ctypes.create_string_buffer(MUTEX_BYTES)
    libc.pthread_mutexattr_init(attributes)
    set_attribute(attributes, value)
    libc.pthread_mutexattr_setpshared(attributes, SHARED)
    libc.pthread_mutex_init(buffer, attributes)
    return ctypes.byref(buffer)
