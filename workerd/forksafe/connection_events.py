"""Reports the events of each connection (opened, failed, closed, discarded) once, with the reason of its end."""

import os
import time
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .events import emit, emit_later
from .sessions import Session

OBSOLETE = "obsolete"
_REASON = "_workerd_reason"


class ClosingFor:
    """Gives ``reason`` to a close of ``wrapper`` inside the block; of nested blocks, the outermost reason counts."""

    def __init__(self, wrapper: BaseDatabaseWrapper, reason: str) -> None:
        self.wrapper = wrapper
        self.reason = reason
        self.outermost = False

    def __enter__(self) -> None:
        self.outermost = _REASON not in self.wrapper.__dict__
        self.wrapper.__dict__.setdefault(_REASON, self.reason)

    def __exit__(self, *_: object) -> None:
        if self.outermost:
            self.wrapper.__dict__.pop(_REASON, None)


def reason_of(wrapper: BaseDatabaseWrapper) -> str:
    """Return why the wrapper is being closed."""
    reason: str = wrapper.__dict__.get(_REASON, "explicit")
    if reason != OBSOLETE:
        return reason
    # The three conditions of Django's close_if_unusable_or_obsolete(), in its order.
    if wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]:
        return "autocommit_changed"
    return "unusable" if wrapper.errors_occurred else "max_age"


def report_opened(wrapper: BaseDatabaseWrapper, started: float) -> None:
    """Note and report the session that the wrapper has opened; ``started`` is a time of ``time.perf_counter``."""
    emit("connection.opened", **identity(sessions.add(wrapper)), ms=_ms(started))


def report_failed(wrapper: BaseDatabaseWrapper, error: BaseException, started: float) -> None:
    """Report that the wrapper could not connect."""
    if wrapper.connection is not None:  # the session is open, but its set-up failed (init_connection_state)
        emit_later("connection.opened", **identity(sessions.add(wrapper)), ms=_ms(started))
    fields = {"error": type(error).__name__, "message": " ".join(str(error).split()), "ms": _ms(started)}
    emit("connection.failed", alias=wrapper.alias, vendor=wrapper.vendor, **fields)


def report_closed(wrapper: BaseDatabaseWrapper, reason: str) -> None:
    """Report the end of the session that is noted for the wrapper, if there is one."""
    session = sessions.remove(wrapper)
    if session is not None and session.pid == os.getpid():
        emit("connection.closed", **_closed(session, reason))
    elif session is not None:
        emit("connection.discarded", **identity(session), opened_by=session.pid)


def report_collected(session: Session) -> None:
    """Report the end of a session whose wrapper was garbage-collected, as those of ended threads are."""
    if session.pid == os.getpid():
        emit_later("connection.closed", **_closed(session, "collected"))  # no logging inside a collection


def identity(session: Session) -> dict[str, Any]:
    """Return the fields that identify a session in every event."""
    return {"alias": session.alias, "vendor": session.vendor, "session": session.number}


def _closed(session: Session, reason: str) -> dict[str, Any]:
    return {**identity(session), "age_s": session.age_s, "reason": reason}


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
