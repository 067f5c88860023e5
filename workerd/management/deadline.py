"""Bounds how long a part of the project may take to load, and says in which line it hangs."""

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

PATIENCE_S = 30.0
"""A part that takes longer to load hangs. The forkserver waits as long."""
LAST_RESORT_S = 5.0
"""A hang that no signal interrupts ends this process so much later, with its stack."""


class Hang(BaseException):
    """A part of the project does not load in time; no handler of the project for Exception may take it away."""


@contextmanager
def in_time(part: str) -> Iterator[None]:
    """Raise Hang where the body, which loads ``part``, takes too long. Signals reach the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(_number: int, frame: FrameType | None) -> NoReturn:
        at = f": it hangs in {_place(frame)}" if frame is not None else ""
        raise Hang(f"{part} is not loaded after {PATIENCE_S:g} s{at}. Correct the code, then check again.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    faulthandler.dump_traceback_later(PATIENCE_S + LAST_RESORT_S, file=2, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def _place(innermost: FrameType) -> str:
    """Return the line of the module whose import goes on, or the innermost line where none is imported."""
    frame: FrameType | None = innermost
    while frame is not None and (frame.f_code.co_name != "<module>" or frame.f_globals.get("__name__") == "__main__"):
        frame = frame.f_back
    frame = frame or innermost
    name = frame.f_globals.get("__name__", "a module without a name")
    return f"{name}, {frame.f_code.co_filename} line {frame.f_lineno}"
