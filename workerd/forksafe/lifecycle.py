"""The events of a connection's life, each said once, with the reason of its end."""

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
    """Names the reason of a close of ``wrapper`` in its event; the outermost wins."""

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
    """Return why the wrapper is being closed right now."""
    reason: str = wrapper.__dict__.get(_REASON, "explicit")
    if reason != OBSOLETE:
        return reason
    if wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]:
        return "autocommit_changed"
    return "unusable" if wrapper.errors_occurred else "max_age"


def report_opened(wrapper: BaseDatabaseWrapper, started: float) -> None:
    """Note the wrapper's new session and say that it is there."""
    emit("connection.opened", **identity(sessions.add(wrapper)), ms=_ms(started))


def report_failed(wrapper: BaseDatabaseWrapper, error: BaseException, started: float) -> None:
    """Say that the wrapper could not connect; a session whose set-up failed was opened all the same."""
    if wrapper.connection is not None:
        emit_later("connection.opened", **identity(sessions.add(wrapper)), ms=_ms(started))
    fields = {"error": type(error).__name__, "message": " ".join(str(error).split()), "ms": _ms(started)}
    emit("connection.failed", alias=wrapper.alias, vendor=wrapper.vendor, **fields)


def report_closed(wrapper: BaseDatabaseWrapper, reason: str) -> None:
    """Say that the session noted for the wrapper, if any, is over."""
    session = sessions.remove(wrapper)
    if session is not None and session.pid == os.getpid():
        emit("connection.closed", **_closed(session, reason))
    elif session is not None:
        emit("connection.discarded", **identity(session), opened_by=session.pid)


def report_collected(session: Session) -> None:
    """Keep the end of a session whose wrapper went in a garbage collection, as those of ended threads do."""
    if session.pid == os.getpid():
        emit_later("connection.closed", **_closed(session, "collected"))


def identity(session: Session) -> dict[str, Any]:
    """Return the fields that name a session in every event."""
    return {"alias": session.alias, "vendor": session.vendor, "session": session.number}


def _closed(session: Session, reason: str) -> dict[str, Any]:
    return {**identity(session), "age_s": session.age_s, "reason": reason}


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
