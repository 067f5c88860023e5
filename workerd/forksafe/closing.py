"""Closes one connection before a fork or at the end of a process, also where its driver cannot."""

from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .connection_events import ClosingFor, report_closed
from .discard import detach, reset
from .drivers import descriptor_of
from .sockets import peer_of


def close_wrapper(wrapper: BaseDatabaseWrapper, reason: str = "before_fork") -> str:
    """Close the wrapper's connection, also that of an ended thread; return an empty string, or what went wrong.

    A connection whose close fails with its socket open is cut off from the server. The sentence says so; the next fork
    has no such connection any more.
    """
    if sessions.session_of(wrapper) is None:
        sessions.add(wrapper)
    connection: Any = wrapper.connection
    wrapper.inc_thread_sharing()  # Django lets only the thread that made the wrapper close it; that one may have ended
    try:
        with ClosingFor(wrapper, reason):
            wrapper.close()
    except SynchronousOnlyOperation as error:
        return f"Database {wrapper.alias!r} cannot be closed from an event loop ({error}): fork outside of it."
    except Exception as error:  # noqa: BLE001 - each driver and backend has its own errors; what counts is whether the socket is still open
        return _cut_off(wrapper, connection, error, reason)
    finally:
        wrapper.dec_thread_sharing()
    report_closed(wrapper, reason)  # the hook has reported it, unless the backend's close() does not call super()
    return ""


def _cut_off(wrapper: BaseDatabaseWrapper, connection: Any, error: Exception, reason: str) -> str:
    descriptor = descriptor_of(connection)
    was_open = descriptor is not None and peer_of(descriptor) != ""
    if was_open:
        detach(connection)
    reset(wrapper)
    report_closed(wrapper, reason)
    if not was_open:
        return ""
    return f"Database {wrapper.alias!r} could not be closed ({type(error).__name__}: {error}) and was cut off instead."
