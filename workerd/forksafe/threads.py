"""Tells which threads are alive: a living one keeps its connections, those of an ended one may be closed."""

import os
import sys
import threading
import time

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions

CONNECTING_WITHIN_S = ENDING_WITHIN_S = 1.0
NATIVE_AFTER_S = 0.05
"""A thread that was never one of Python's counts as a library's when it has gone on for this long."""
_native: set[int] = set()
"""Threads that a library has made without Python, such as numpy's: they do not end."""


def living_tasks() -> set[int]:
    """Return the kernel's numbers (task ids) of the living Python threads besides this one."""
    return {thread.native_id for thread in other_threads() if thread.native_id is not None}


def wait_for_ended(known: set[int]) -> list[str]:
    """Wait until threads that Python counts as ended are gone; return a sentence where one of ``known`` remains."""
    # Python's join() returns before the thread's C destructors have run, and OpenSSL's take a lock. A child that is
    # forked at that moment inherits the lock taken, and hangs at its first encrypted connection.
    started = time.monotonic()
    while ending := _tasks() - living_tasks() - _native:
        waited = time.monotonic() - started
        if waited > NATIVE_AFTER_S:
            _native.update(ending - known)
        if waited > ENDING_WITHIN_S and ending & known:
            return [f"Threads that Python counts as ended are still there: {sorted(ending & known)}."]
        time.sleep(0.0001)
    return []


def wait_for_connecting() -> None:
    """Wait, for a second at most, until no other living thread is in the middle of opening a connection of Django's."""
    deadline = time.monotonic() + CONNECTING_WITHIN_S
    while time.monotonic() < deadline and any(map(_is_connecting, sessions.wrappers())):
        time.sleep(0.001)


def _is_connecting(wrapper: BaseDatabaseWrapper) -> bool:
    return sessions.CONNECTING in vars(wrapper) and sessions.owner_of(wrapper) in sys._current_frames()


def _tasks() -> set[int]:
    """Return the task ids of this process's threads besides this one; none where there is no /proc."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")} - {threading.get_native_id()}  # noqa: PTH208 - fast
    except FileNotFoundError:
        return set()


def other_threads() -> list[threading.Thread]:
    """Return the living Python threads besides this one."""
    return [thread for thread in threading.enumerate() if thread is not threading.current_thread()]


def belongs_to_other(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether another living thread may be using the wrapper."""
    ident = sessions.owner_of(wrapper)
    if ident == threading.get_ident() or ident not in sys._current_frames():
        return False
    session = sessions.session_of(wrapper)
    if session is None:
        return True
    # A thread's ident is given again to later threads, so the thread object itself decides.
    thread = session.thread()
    return thread is not None and thread.is_alive()


def name_of(wrapper: BaseDatabaseWrapper) -> str:
    """Return the name of the thread that opened the wrapper's connection."""
    session = sessions.session_of(wrapper)
    thread = session.thread() if session is not None else None
    return thread.name if thread is not None else str(sessions.owner_of(wrapper))
