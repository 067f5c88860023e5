"""The request that a job stops: a signal raises it, a flag keeps it, and it wakes every thread and task that sleeps.

A flag alone loses the signal that comes after the look at the flag and before the sleep. Here the interpreter's own C
handler writes each signal's number to a socket (``signal.set_wakeup_fd``) that every sleep polls. A sleep that begins
after the signal finds the socket readable and ends at once. The Python handler only sets flags.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from types import FrameType
from typing import Any

from .self_pipe import SelfPipe

if sys.platform != "win32":  # Windows has no fork
    from workerd.wire.signal_mask import SignalMask

_LOOP_POLL_S = 0.1


class StopRequest:
    """The request to stop that this process has got, or may get; one per process.

    With ``impatient``, a second signal raises KeyboardInterrupt, as Ctrl-C does.
    """

    def __init__(self, *, impatient: bool = False) -> None:
        self.asked = False
        self._impatient = impatient
        self.interrupts = False
        """Whether the first signal raises KeyboardInterrupt too: for code that has no context to ask."""
        self._interrupted = False
        self._replaced_handlers: dict[int, Any] = {}
        self._replaced_wakeup_fd = -1
        self._events: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = weakref.WeakKeyDictionary()
        self._pipe = SelfPipe()

    def listen(self, numbers: Iterable[int]) -> None:
        """Take these signals as the request to stop; main thread only."""
        # No warning on a full buffer: a full socket is readable, and that is all a sleep needs.
        self._replaced_wakeup_fd = signal.set_wakeup_fd(self._pipe.writer.fileno(), warn_on_full_buffer=False)
        self._replaced_handlers = {number: signal.signal(number, self._on_signal) for number in numbers}
        if sys.platform != "win32":
            self._register_at_fork()

    def close(self) -> None:
        """Restore the handlers from before ``listen`` where the job has set none since; then main thread only."""
        if self._replaced_handlers:
            self._restore_handlers()
        self._pipe.close()

    def ask(self) -> None:
        """Ask this process to stop; from any thread or handler, and any number of times."""
        self.asked = True
        self._pipe.wake()

    def ask_by_signal(self) -> None:
        """Do what a signal does: ask, and interrupt code that cannot be asked. Main thread only."""
        again = self.asked
        self.ask()
        if again and self._impatient:
            raise KeyboardInterrupt
        if self.interrupts and not self._interrupted:
            self._interrupted = True  # once only: a second interrupt would cut short the job's own cleaning up
            raise KeyboardInterrupt

    def wait(self, seconds: float | None) -> bool:
        """Sleep until asked to stop (True) or for ``seconds`` (False); None sleeps without end."""
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not self.check():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._pipe.sleep(left)
        return True

    def event(self) -> asyncio.Event:
        """Return the running loop's event; it is set when the process is asked to stop."""
        loop = asyncio.get_running_loop()
        if loop not in self._events:
            self._events[loop] = event = asyncio.Event()
            try:
                loop.add_reader(self._pipe.reader, self._on_readable, loop, event)
            except NotImplementedError:  # the default loop of Windows, where ``workerd once`` may run
                self._poll_from(loop, event)
        return self._events[loop]

    def leave_loop(self) -> None:
        """Have the running loop look for the request no longer."""
        loop = asyncio.get_running_loop()
        if self._events.pop(loop, None) is not None:
            with contextlib.suppress(NotImplementedError):
                loop.remove_reader(self._pipe.reader)

    def check(self) -> bool:
        """Read the signals that have arrived, and return whether the process has been asked to stop."""
        # Once asked, nothing is read any more: the socket stays readable, and wakes every other sleeper too.
        if self.asked:
            return True
        if self._pipe.is_lost:
            self._renew_pipe()
        numbers = self._pipe.read()
        if numbers is None:
            return self._is_asked()
        # The C handler has written the number, but the Python handler may not have run yet: it runs in the main thread
        # only, and this may be another one. Numbers of other signals, such as SIGCHLD, are dropped.
        if self._is_asked() or not self._replaced_handlers.keys().isdisjoint(numbers):
            self.ask()
        return self.asked

    def _restore_handlers(self) -> None:
        current = signal.set_wakeup_fd(self._replaced_wakeup_fd)
        if current != self._pipe.writer.fileno():
            signal.set_wakeup_fd(current)
        for number, handler in self._replaced_handlers.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)
        self._replaced_handlers.clear()

    def _is_asked(self) -> bool:
        # A function, so that mypy does not take the flag's value from before for the one of now: a handler or another
        # thread may have set it since.
        return self.asked

    def _on_readable(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        if self.check():
            loop.remove_reader(self._pipe.reader)  # the socket stays readable: the loop would call this without end
            event.set()

    def _poll_from(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        if self.check():
            event.set()
        else:
            loop.call_later(_LOOP_POLL_S, self._poll_from, loop, event)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask_by_signal()

    def _renew_pipe(self) -> None:
        """Have a pipe again where the job has closed it, as one that becomes a daemon closes every descriptor."""
        lost = self._pipe.writer.fileno()
        self._pipe.close()
        self._pipe = SelfPipe()
        # Another thread may not set the wakeup descriptor, and a job may have set its own.
        if threading.current_thread() is threading.main_thread():
            current = signal.set_wakeup_fd(self._pipe.writer.fileno(), warn_on_full_buffer=False)
            if current not in {lost, -1}:
                signal.set_wakeup_fd(current)

    def _register_at_fork(self) -> None:
        """Have a process that the job forks be an ordinary one, from its first instant.

        Python forgets a signal that comes there before ``_reset_in_fork`` has run, and the job would take it for its
        own, by the socket. A Pool sends TERM once to each worker, however young, and would wait for it for ever. So the
        kernel holds the signals back for the time of the fork.
        """
        # C functions: where a handler raises at the end of the mask, no Python code of this hook is in the way.
        mask = SignalMask(self._replaced_handlers)
        os.register_at_fork(before=mask.block, after_in_parent=mask.restore, after_in_child=self._reset_in_fork)
        os.register_at_fork(after_in_child=mask.restore)

    def _reset_in_fork(self) -> None:
        """Make a process that the job forks an ordinary one: default signals, and a socket of its own."""
        if not self._replaced_handlers:
            return
        # The socket is shared with the parent: a byte written by a signal here would wake the job's sleep there, and a
        # byte read here would be lost to it.
        signal.set_wakeup_fd(-1)
        for number in self._replaced_handlers:
            if signal.getsignal(number) == self._on_signal:  # a handler that the job has set since is its own
                _restore_default(number)
        self._events.clear()
        self._pipe.close()
        self._pipe = SelfPipe()
        if self.asked:
            self._pipe.wake()  # sleeps read the new socket, which knows nothing of a stop from before the fork


def _restore_default(number: int) -> None:
    """Have the signal do what it does in a fresh Python process."""
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
