"""Tries once whether siblings can be forked here: a kernel, or a container's filter of system calls, may forbid it."""

import os
import select
import signal
import time
from contextlib import suppress
from typing import NoReturn

from .sibling import SiblingError, SiblingFork

PATIENCE_S = 10.0
"""A trial that takes longer hangs."""
SOUND = "sound"


def try_siblings() -> SiblingFork:
    """Return the fork of siblings. Raises SiblingError with the reason where births need libc's own.

    Call prepare_to_fork() before. The trial's sibling is born of a fork of this process, so it is this one's child, and
    a filter that kills whoever asks for it kills that fork.
    """
    siblings = SiblingFork()
    reader, writer = os.pipe()
    parent = os.getpid()
    middle = os.fork()
    if middle == 0:
        _play(siblings, parent, writer)
    os.close(writer)
    try:
        said = _listen(reader)
    finally:
        os.close(reader)
    words = said.decode().splitlines()
    for pid in (middle, *(int(word) for word in words if word.isdigit())):
        _end(pid)
    if SOUND not in words:
        reasons = [word for word in words if not word.isdigit()] or ["it was killed, or it hung"]
        raise SiblingError(f"a trial failed: {reasons[0]}")
    return siblings


def _play(siblings: SiblingFork, parent: int, writer: int) -> NoReturn:
    """Fork a sibling, and say its pid, or what the kernel has answered; the sibling says whether all is well."""

    def say(words: object) -> None:
        os.write(writer, f"{words}\n".encode())

    try:
        if pid := siblings.fork():
            say(pid)
        else:
            say(SOUND if os.getppid() == parent and siblings.is_sound() else "the process that it bore is not sound")
    except OSError as error:
        say(error.strerror)
    finally:
        os._exit(0)


def _listen(reader: int) -> bytes:
    """Return all that is said before both processes have ended, or there is no more patience."""
    poller, said = select.poll(), b""
    poller.register(reader, select.POLLIN)
    until = time.monotonic() + PATIENCE_S
    while poller.poll(max(0.0, until - time.monotonic()) * 1000) and (packet := os.read(reader, 4096)):
        said += packet
    return said


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):  # somebody else's child, or the project ignores SIGCHLD
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
