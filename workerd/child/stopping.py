"""The wish that a job stops: raised by a signal, kept as a flag, and heard by whoever sleeps.

A flag alone loses the signal that comes between looking and sleeping. Here the interpreter's own C handler writes to a
socket (``signal.set_wakeup_fd``) that every sleep polls, so it wakes at once; the Python handler only sets flags.
"""

import asyncio
import contextlib
import math
import os
import select
import signal
import socket
import time
import weakref
from collections.abc import Iterable
from types import FrameType
from typing import Any

_SLICE_S = 86_400.0
"""poll(2) takes milliseconds in an int: longer sleeps are cut, and go on."""
_LOOK_S = 0.1


class StopRequest:
    """Whether this process has been asked to stop; one a process. ``impatient``: a second signal is Ctrl-C."""

    def __init__(self, *, impatient: bool = False) -> None:
        self.asked = False
        self._impatient = impatient
        self.interrupts = False
        """Raise KeyboardInterrupt at the first signal too, for code that knows no context."""
        self._interrupted = False
        self._former: dict[int, Any] = {}
        self._former_wakeup = -1
        self._pid = os.getpid()
        self._events: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = weakref.WeakKeyDictionary()
        self._open_self_pipe()

    def listen(self, numbers: Iterable[int]) -> None:
        """Take these signals as the wish to stop; main thread only."""
        self._pid = os.getpid()
        self._former_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._former = {number: signal.signal(number, self._on_signal) for number in numbers}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def close(self) -> None:
        """Give the signals back to whom they belonged; main thread only."""
        signal.set_wakeup_fd(self._former_wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former.clear()
        self._reader.close()
        self._writer.close()

    def ask(self) -> None:
        """Ask this process to stop; harmless a second time, from any thread or handler."""
        self.asked = True
        self._wake_sleepers()

    def wait(self, seconds: float | None) -> bool:
        """Sleep until asked to stop (True), or for ``seconds`` (False); None sleeps for good."""
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not self.check():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            _sleep_on(self._reader, min(left, _SLICE_S))
        return True

    def event(self) -> asyncio.Event:
        """Return the running loop's event that is set when asked to stop."""
        loop = asyncio.get_running_loop()
        if loop not in self._events:
            self._events[loop] = event = asyncio.Event()
            try:
                loop.add_reader(self._reader, self._hear, loop, event)
            except NotImplementedError:  # Windows' loop, where ``once`` may run
                self._look_again(loop, event)
        return self._events[loop]

    def check(self) -> bool:
        """Return whether asked, having read other signals' bytes; once asked, the socket stays readable for all."""
        if self.asked:
            return True
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return self._is_asked()
        if self._is_asked() or not self._former.keys().isdisjoint(numbers):
            self.ask()
        return self.asked

    def _is_asked(self) -> bool:
        """Look again: a handler may have run since the last look."""
        return self.asked

    def _hear(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        if self.check():
            loop.remove_reader(self._reader)
            event.set()

    def _look_again(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        if self.check():
            event.set()
        else:
            loop.call_later(_LOOK_S, self._look_again, loop, event)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # what the job forks has not forgotten us yet: it is meant, as any process is
            _give_back(number)
            os.kill(os.getpid(), number)
            return
        again = self.asked
        self.ask()
        if again and self._impatient:
            raise KeyboardInterrupt
        if self.interrupts and not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt

    def _open_self_pipe(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def _wake_sleepers(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full, hence readable
            self._writer.send(b"\0")

    def _forget(self) -> None:
        """Be an ordinary process in what the job forks: with signals of its own, and a sleep that hears no other's."""
        if not self._former:
            return
        signal.set_wakeup_fd(-1)
        for number in self._former:
            if signal.getsignal(number) == self._on_signal:
                _give_back(number)
        self._events.clear()
        self._open_self_pipe()
        if self.asked:
            self._wake_sleepers()


def _give_back(number: int) -> None:
    """Have the signal do what it does in a Python that nobody has told otherwise."""
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _sleep_on(sock: socket.socket, seconds: float) -> None:
    """Sleep until ``sock`` is readable, at most ``seconds``."""
    if hasattr(select, "poll"):  # select(2) ends at descriptor 1023
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        poller.poll(math.ceil(seconds * 1000))
    else:
        select.select([sock], [], [], seconds)
