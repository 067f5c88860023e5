"""The mark of the run in the environment that /proc/PID/environ shows: what the job forks keeps it."""

import ctypes

from workerd.wire.words import RUN_VARIABLE

_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_void_p


def mark_process(run: str) -> None:
    """Overwrite the mark with which the forkserver was executed; it is as long.

    A change of ``os.environ`` does not change what /proc shows of this process, only of those that it executes. Call
    this before such a change: the C library would find the new value afterwards.
    """
    address, value = _libc.getenv(RUN_VARIABLE.encode()), run.encode()
    if address is not None and len(ctypes.string_at(address)) == len(value):
        ctypes.memmove(address, value, len(value))
