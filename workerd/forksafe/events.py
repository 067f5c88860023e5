"""Logs forksafe's events: at once, or, where logging is not allowed, together with the next one."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from workerd.wire.events import emit as emit_event

NAME = "workerd.forksafe"
listeners: dict[str, Callable[[], None]] = {}
"""Functions to call when an event happens, by its name. They may run inside a fork hook or a garbage collection, so
they must not raise, log or query."""

own_loggers: list[Any] = []
"""In a process of workerd's: they take the events in place of the project's logging, whose levels might hide them."""

_pending: deque[tuple[str, dict[str, Any]]] = deque(maxlen=10_000)
_flushing = threading.local()
"""Its attribute ``now`` is true in a thread that is inside ``flush``."""


def emit(name: str, /, **fields: Any) -> None:
    """Log the events that wait, and then this one."""
    emit_later(name, **fields)
    flush()


def emit_later(name: str, /, **fields: Any) -> None:
    """Keep the event for the next ``flush``."""
    # Fork hooks and garbage collections call this. Logging there could wait for a lock that the interrupted code, or a
    # thread that the child does not have, holds.
    _pending.append((name, fields))
    if name in listeners:
        listeners[name]()


def flush() -> None:
    """Log the events that wait."""
    # A log handler that uses the database ends up here again: the outer call logs the events of the handler, too.
    if getattr(_flushing, "now", False):
        return
    _flushing.now = True
    try:
        loggers = own_loggers or [_logger()]
        while _pending:
            try:
                name, fields = _pending.popleft()
            except IndexError:  # another thread has just logged the last one
                break
            for logger in loggers:
                emit_event(logger, name, **fields)
    finally:
        _flushing.now = False


def reset_after_fork() -> None:
    """Forget, in a forked child, what the parent was doing."""
    _pending.clear()  # the parent logs these
    _flushing.now = False  # the fork may have come in the middle of a flush, which goes on in the parent only


def _logger() -> Any:
    """Return a structlog logger: the project's, or, where structlog is not configured, one over stdlib logging."""
    # Without configuration structlog prints to stdout, which a web process does not expect.
    if structlog.is_configured():
        return structlog.get_logger(NAME)
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
