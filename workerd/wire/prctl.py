"""The options of prctl(2) that hold the process tree together."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_libc_prctl = ctypes.CDLL(None, use_errno=True).prctl  # found once, as each child calls it


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send ``number`` to this process when its parent's thread ends (PR_SET_PDEATHSIG).

    A fork clears it. If the parent has ended before this call, the kernel sends nothing: check the parent's pid after.
    """
    _prctl(_PR_SET_PDEATHSIG, number)


def become_subreaper() -> None:
    """Adopt orphaned descendants instead of PID 1 (PR_SET_CHILD_SUBREAPER)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def is_subreaper() -> bool:
    """Return whether this process adopts orphans."""
    value = ctypes.c_int()
    _libc_prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
    return bool(value.value)


def try_subreaper() -> None:
    """Make the call of ``become_subreaper``, and leave this process as it is. Raises OSError where it is refused."""
    _prctl(_PR_SET_CHILD_SUBREAPER, is_subreaper())


def _prctl(option: int, value: int) -> None:
    if _libc_prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
