"""A mask of signals that is set and restored without a line of Python, as a hook of a fork needs it."""

import ctypes
import signal
from collections.abc import Iterable
from functools import partial

_SET_BYTES = 128
"""The size of ``sigset_t`` in the C libraries of Linux."""
# PyDLL: it keeps the interpreter's lock, so no other thread's fork comes between the two calls.
_libc = ctypes.PyDLL(None)
# Found once, as each child makes a mask.
_empty, _add, _set_mask = _libc.sigemptyset, _libc.sigaddset, _libc.pthread_sigmask
_Signals = ctypes.c_char * _SET_BYTES


class SignalMask:
    """Holds ``numbers`` back from the thread that calls ``block``, until it calls ``restore``.

    Python's own ``signal.pthread_sigmask`` runs the handlers that are due before it returns.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        blocked, before = _Signals(), _Signals()
        _empty(blocked)
        for number in numbers:
            _add(blocked, number)
        self.block = partial(_set_mask, signal.SIG_BLOCK, blocked, before)
        self.restore = partial(_set_mask, signal.SIG_SETMASK, before, None)
