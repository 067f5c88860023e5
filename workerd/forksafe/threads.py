"""Which threads are still there: their connections are theirs, those of ended threads are nobody's."""

import os
import sys
import threading
import time

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions

ENDING_WITHIN_S = 1.0
NATIVE_AFTER_S = 0.05
_native: set[int] = set()
"""Threads that a library made past Python, such as numpy's: they do not end."""


def living_tasks() -> set[int]:
    """Return the kernel's numbers of the Python threads that are alive, besides this one."""
    return {one.native_id for one in other_threads() if one.native_id is not None}


def wait_for_ended(known: set[int]) -> list[str]:
    """Wait until threads that Python counts as ended are gone; return a sentence where one of ``known`` is not.

    Python joins a thread before its C destructors have run, and OpenSSL's take a lock: a child forked just then would
    inherit it taken, and hang at its first encrypted connection. Tasks that nobody knows and that stay are a library's.
    """
    started = time.monotonic()
    while ending := _tasks() - living_tasks() - _native:
        waited = time.monotonic() - started
        if waited > NATIVE_AFTER_S:
            _native.update(ending - known)
        if waited > ENDING_WITHIN_S and ending & known:
            return [f"Threads that Python counts as ended are still there: {sorted(ending & known)}."]
        time.sleep(0.0001)
    return []


def _tasks() -> set[int]:
    """Return the kernel's numbers of this process's threads besides this one; none where there is no /proc."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")} - {threading.get_native_id()}  # noqa: PTH208 - fast
    except FileNotFoundError:
        return set()


def other_threads() -> list[threading.Thread]:
    """Return the living Python threads besides this one."""
    return [one for one in threading.enumerate() if one is not threading.current_thread()]


def belongs_to_other(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether another thread that is alive may be using the wrapper at this moment."""
    ident = sessions.owner_of(wrapper)
    if ident == threading.get_ident() or ident not in sys._current_frames():
        return False
    session = sessions.session_of(wrapper)
    if session is None:
        return True
    # An identity is given again to later threads, so the thread itself is asked.
    thread = session.thread()
    return thread is not None and thread.is_alive()


def name_of(wrapper: BaseDatabaseWrapper) -> str:
    """Return the name of the thread that opened the wrapper's connection."""
    session = sessions.session_of(wrapper)
    thread = session.thread() if session is not None else None
    return thread.name if thread is not None else str(sessions.owner_of(wrapper))
