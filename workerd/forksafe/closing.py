"""Closes one wrapper before a fork, whatever its driver does."""

from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .discard import detach, reset
from .drivers import descriptor_of
from .lifecycle import ClosingFor, report_closed
from .sockets import peer_of


def close_wrapper(wrapper: BaseDatabaseWrapper, reason: str = "before_fork") -> str:
    """Close the wrapper's connection, also an ended thread's; return a sentence where that did not go well.

    A close that fails with its socket open is cut off from the server instead: said once, and gone at the next fork.
    """
    if sessions.session_of(wrapper) is None:
        sessions.add(wrapper)
    connection: Any = wrapper.connection
    wrapper.inc_thread_sharing()
    try:
        with ClosingFor(wrapper, reason):
            wrapper.close()
    except SynchronousOnlyOperation as error:
        return f"Database {wrapper.alias!r} cannot be closed from an event loop ({error}): fork from outside of it."
    except Exception as error:  # noqa: BLE001 - each driver and backend has its own; what counts is whether the socket is still there
        return _cut_off(wrapper, connection, error, reason)
    finally:
        wrapper.dec_thread_sharing()
    report_closed(wrapper, reason)  # where a backend's close does not call super()
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
