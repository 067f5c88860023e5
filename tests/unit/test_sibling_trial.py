"""Where siblings can be forked, and where births take two forks: each reason is found, and said."""

import ctypes
import ctypes.util
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.harness.forks import live
from workerd.forkserver import sibling, sibling_trial
from workerd.forkserver.fork_handlers import libraries_with_fork_handlers
from workerd.forkserver.sibling import SiblingError, SiblingFork
from workerd.forkserver.sibling_trial import try_siblings


@pytest.fixture(autouse=True)
def without_what_other_tests_have_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look for a user, for example, may have had this process load a library with handlers of forks."""
    before = set(libraries_with_fork_handlers())
    monkeypatch.setattr(
        sibling,
        "libraries_with_fork_handlers",
        lambda: [name for name in libraries_with_fork_handlers() if name not in before],
    )


def reason() -> str:
    """Return why a trial in a process with one thread fails; "" where it does not."""

    def play() -> str:
        try:
            return try_siblings().obstacle()
        except SiblingError as error:
            return str(error)

    return str(live("os.fork", play).child)


def test_a_trial_bears_a_sound_sibling_and_leaves_no_process() -> None:
    def play() -> list[object]:
        obstacle = try_siblings().obstacle()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, 0)
        return [obstacle]

    assert live("os.fork", play).child == [""]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: os.kill(os.getpid(), signal.SIGSYS), "a trial failed: it was killed, or it hung"),
        (lambda _: signal.pause(), "a trial failed: it was killed, or it hung"),
        (lambda _: os.fork(), "a trial failed: the process that it bore is not sound"),
    ],
    ids=["killed by a filter", "hung", "not the parent's"],
)
def test_a_trial_that_goes_wrong_says_how(monkeypatch: pytest.MonkeyPatch, answer: object, said: str) -> None:
    monkeypatch.setattr(SiblingFork, "fork", answer)
    monkeypatch.setattr(sibling_trial, "PATIENCE_S", 0.1 if "hung" in said else 10.0)

    assert reason().startswith(said)


def test_a_call_that_the_kernel_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {machine: numbers._replace(clone=9999) for machine, numbers in sibling._CALLS.items()}
    monkeypatch.setattr(sibling, "_CALLS", calls)

    assert reason() == f"a trial failed: {os.strerror(errno.ENOSYS)}"


def test_an_unknown_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sibling, "_CALLS", {})

    assert reason() == f"workerd does not know the system calls of {os.uname().machine}"


def test_a_libc_that_keeps_something_else_there_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sibling, "_read_tid", lambda _: 0)

    assert reason() == "this libc keeps a thread's number elsewhere than glibc does"


def test_beside_a_thread_there_is_none() -> None:
    def play() -> list[str]:
        siblings, end = SiblingFork(), threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        beside = siblings.obstacle()
        end.set()
        thread.join()
        while len(list(Path("/proc/self/task").iterdir())) > 1:  # the kernel's thread ends after Python's
            pass
        return [beside, siblings.obstacle()]

    assert live("os.fork", play).child == ["another thread runs in the forkserver", ""]


BESIDE_A_LIBRARY = """
import ctypes, sys
from workerd.forkserver.sibling import SiblingFork
siblings = SiblingFork()
print(siblings.obstacle())
ctypes.CDLL(sys.argv[1])
print(siblings.obstacle())
"""


def test_beside_a_library_with_handlers_of_forks_there_is_none() -> None:
    """GnuTLS renews its random numbers in one: without it two children would draw the same."""
    name = ctypes.util.find_library("gnutls")
    if name is None:
        pytest.skip("GnuTLS is not installed")
    command = [sys.executable, "-c", BESIDE_A_LIBRARY, name]
    before, beside = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert before == ""
    assert name in beside
    assert beside.endswith(" may have code that runs in libc's own fork alone")
