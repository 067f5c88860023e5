"""Forks a sibling: a process whose parent is this one's parent, by one fork, clone(2) with CLONE_PARENT.

It is libc's fork() in all but its parent and the code that libraries have registered with libc. Python's own steps
around a fork, os.register_at_fork() among them, are taken as os.fork() takes them.
"""

import ctypes
import errno
import gc
import os
import signal
import sys
import threading
from typing import NamedTuple

from workerd.errors import WorkerdError

from .fork_handlers import count_loads, libraries_with_fork_handlers

_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_GET_TID_ADDRESS = 40
# The GIL stays with this thread during these calls, as it does in os.fork(): a child has no other thread to have it.
_libc = ctypes.PyDLL(None, use_errno=True)
_steps = ctypes.PyDLL(None)
for _step in (_steps.PyOS_BeforeFork, _steps.PyOS_AfterFork_Parent, _steps.PyOS_AfterFork_Child):
    _step.restype = None
_SIGSET_BYTES = 128


class _Calls(NamedTuple):
    """The numbers of system calls, which differ from one kind of processor to another."""

    clone: int
    child_tid: int
    """The place of that argument of clone."""
    set_robust_list: int
    get_robust_list: int


_CALLS = {"x86_64": _Calls(56, 3, 273, 274), "aarch64": _Calls(220, 4, 99, 100)}


class SiblingError(WorkerdError):
    """A sibling cannot be forked here."""


class SiblingFork:
    """The fork of a sibling, where this platform has it. Raises SiblingError where it has not."""

    def __init__(self) -> None:
        machine = os.uname().machine
        if machine not in _CALLS or sys.maxsize < 2**32:
            raise SiblingError(f"workerd does not know the system calls of {machine}")
        calls = _CALLS[machine]
        self._tid = _address_of_tid()
        # libc's fork() has the kernel note the new thread's number, too: raise(3) and mutexes go by it.
        flags = _CLONE_PARENT | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID | signal.SIGCHLD
        arguments = [flags, 0, 0, 0, 0]
        arguments[calls.child_tid] = self._tid
        self._clone = [ctypes.c_long(number) for number in (calls.clone, *arguments)]
        self._set_robust_list = _call_for_robust_list(calls)
        self._all_signals, self._mask = (ctypes.create_string_buffer(_SIGSET_BYTES) for _ in range(2))
        _libc.sigfillset(self._all_signals)
        self._loads, self._libraries = 0, ""

    def obstacle(self) -> str:
        """Return why no sibling may be forked now, "" where one may."""
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - fast
            return "another thread runs in the forkserver"
        if (loads := count_loads()) != self._loads:
            self._loads, self._libraries = loads, ", ".join(libraries_with_fork_handlers())
        return f"{self._libraries} may have code that runs in libc's own fork alone" if self._libraries else ""

    def fork(self) -> int:
        """Return 0 in the sibling, and its pid here. Raises OSError where the kernel refuses."""
        sys.audit("os.fork")
        collects = gc.isenabled()
        # Between Python's steps neither the collector of garbage nor the handler of a signal may run any code.
        gc.disable()
        _steps.PyOS_BeforeFork()
        pid, code = -1, errno.EINTR
        try:
            # Inside of the steps, as what registered for forks may set a mask, too, and start threads and programs.
            _libc.pthread_sigmask(signal.SIG_BLOCK, self._all_signals, self._mask)
            pid = int(_libc.syscall(*self._clone))
            code = ctypes.get_errno()
            if pid == 0 and self._set_robust_list:
                _libc.syscall(*self._set_robust_list)
            _libc.pthread_sigmask(signal.SIG_SETMASK, self._mask, None)
        finally:  # the handler of a signal that came just before may raise
            if pid == 0:
                _steps.PyOS_AfterFork_Child()
            else:
                _steps.PyOS_AfterFork_Parent()
            if collects:
                gc.enable()
        if pid < 0:
            raise OSError(code, os.strerror(code))
        return pid

    def is_sound(self) -> bool:
        """Return, in a sibling, whether libc knows the one thread of this process."""
        return _read_tid(self._tid) == threading.get_native_id() == os.getpid()


def _address_of_tid() -> int:
    """Return where libc keeps the number of this thread. Raises SiblingError where it does not say so."""
    address = ctypes.c_void_p()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) != 0 or not address.value:
        raise SiblingError("the kernel does not say where libc keeps a thread's number")
    if _read_tid(address.value) != threading.get_native_id():  # musl keeps a lock there
        raise SiblingError("this libc keeps a thread's number elsewhere than glibc does")
    return address.value


def _read_tid(address: int) -> int:
    return ctypes.c_int.from_address(address).value


def _call_for_robust_list(calls: _Calls) -> list[object]:
    """Return the call that tells the kernel, as libc's fork() does, which locks it frees at the thread's end; or []."""
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    number = ctypes.c_long(calls.get_robust_list)
    if _libc.syscall(number, ctypes.c_long(0), ctypes.byref(head), ctypes.byref(size)) != 0 or not head.value:
        return []
    return [ctypes.c_long(calls.set_robust_list), head, size]
