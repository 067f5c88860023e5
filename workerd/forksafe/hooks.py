"""Hooks over methods of Django's BaseDatabaseWrapper; a backend reaches them where its methods call ``super()``.

Each hook wraps the method that it finds, also one that another package has put there, and calls it.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from . import sessions
from .connection_events import (
    OBSOLETE,
    ClosingFor,
    reason_of,
    report_closed,
    report_collected,
    report_failed,
    report_opened,
)
from .discard import discard_unseen
from .health import check_before_use, drop_if_met_error
from .labels import labelled_parameters
from .sqlite_locks import refuse_locked
from .tripwire import tripwire


def install_hooks() -> None:
    """Hook the base class, and listen for connections that do not pass through its ``connect``."""
    for name, hook in HOOKS.items():
        original = getattr(BaseDatabaseWrapper, name)
        setattr(BaseDatabaseWrapper, name, wraps(original)(hook(original)))
    connection_created.connect(_on_connection_created, weak=False, dispatch_uid="workerd.forksafe")
    sessions.on_collected.append(report_collected)


Method = Callable[..., Any]


def _connect(original: Method) -> Method:
    def connect(self: BaseDatabaseWrapper) -> None:
        discard_unseen()  # or a backend's pool would give what another process has open
        # Django's MySQL backend runs queries inside connect(): a note of the session before would trip the tripwire.
        report_closed(self, "explicit")
        refuse_locked(self)
        sessions.track(self)
        started = time.perf_counter()
        self.__dict__[sessions.CONNECTING] = True
        try:
            with labelled_parameters(self):
                original(self)
            if self.connection is not None:
                report_opened(self, started)
        except BaseException as error:
            getattr(error, "__dict__", {}).setdefault("workerd_alias", self.alias)  # for is_unreachable()
            report_failed(self, error, started)
            raise
        finally:
            self.__dict__.pop(sessions.CONNECTING, None)

    return connect


def _on_connection_created(
    sender: object,  # noqa: ARG001 - signals name it
    connection: BaseDatabaseWrapper,
    **_: Any,
) -> None:
    """Report the connection of a backend whose ``connect`` does not call ``super()``."""
    if sessions.CONNECTING in connection.__dict__ or connection.connection is None:
        return
    session = sessions.session_of(connection)
    if session is None or session.connection_id != id(connection.connection):
        report_closed(connection, "explicit")
        report_opened(connection, time.perf_counter())


def _close(original: Method) -> Method:
    def close(self: BaseDatabaseWrapper) -> None:
        # Inside atomic() a wrapper keeps its closed connection until the block ends (closed_in_transaction).
        was_open = self.connection is not None and not self.closed_in_transaction
        reason = reason_of(self) if was_open else ""
        try:
            original(self)
        finally:
            if was_open and (self.connection is None or self.closed_in_transaction):
                report_closed(self, reason)

    return close


def _close_if_unusable_or_obsolete(original: Method) -> Method:
    def close_if_unusable_or_obsolete(self: BaseDatabaseWrapper) -> None:
        drop_if_met_error(self)  # or Django's look at autocommit would open another, and raise where there is no server
        with ClosingFor(self, OBSOLETE):
            original(self)

    return close_if_unusable_or_obsolete


def _close_if_health_check_failed(original: Method) -> Method:
    def close_if_health_check_failed(self: BaseDatabaseWrapper) -> None:
        state = vars(self)
        if state["health_check_enabled"] and not state["health_check_done"]:
            with ClosingFor(self, "health_check_failed"):
                original(self)

    return close_if_health_check_failed


HOOKS: dict[str, Callable[[Method], Method]] = {
    "connect": _connect,
    "close": _close,
    "close_if_unusable_or_obsolete": _close_if_unusable_or_obsolete,
    "close_if_health_check_failed": _close_if_health_check_failed,
    "ensure_connection": check_before_use,
    "validate_thread_sharing": tripwire,
}
