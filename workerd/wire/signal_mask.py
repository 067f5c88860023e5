"""A mask of signals that is set and restored without a line of Python, as a hook of a fork needs it."""

import ctypes
import signal
from collections.abc import Iterable
from functools import partial

_SET_BYTES = 128
"""The size of ``sigset_t`` in the C libraries of Linux."""
# PyDLL: it keeps the interpreter's lock, so no other thread's fork comes between the two calls.
_libc = ctypes.PyDLL(None)


class SignalMask:
    """Holds ``numbers`` back from the thread that calls ``block``, until it calls ``restore``.

    Python's own ``signal.pthread_sigmask`` runs the handlers that are due before it returns.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        blocked, before = (ctypes.create_string_buffer(_SET_BYTES) for _ in range(2))
        _libc.sigemptyset(blocked)
        for number in numbers:
            _libc.sigaddset(blocked, number)
        self.block = partial(_libc.pthread_sigmask, signal.SIG_BLOCK, blocked, before)
        self.restore = partial(_libc.pthread_sigmask, signal.SIG_SETMASK, before, None)
