"""The way of forksafe's events to the log: at once, or kept where logging is not allowed and said by the next one."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from workerd.wire.events import emit as emit_event

NAME = "workerd.forksafe"
listeners: dict[str, Callable[[], None]] = {}
"""By event: what is called as it happens, before it is logged; it must not raise, log or query."""

_pending: deque[tuple[str, dict[str, Any]]] = deque(maxlen=10_000)
_speaking = threading.local()


def emit(name: str, /, **fields: Any) -> None:
    """Log the event, after those that waited."""
    emit_later(name, **fields)
    flush()


def emit_later(name: str, /, **fields: Any) -> None:
    """Keep the event for the next ``flush``: for fork hooks and garbage collection, where a lock may be held."""
    _pending.append((name, fields))
    if name in listeners:
        listeners[name]()


def flush() -> None:
    """Log what waits. A log handler that uses the database comes back here: its own events wait for the outer call."""
    if getattr(_speaking, "now", False):
        return
    _speaking.now = True
    try:
        logger = _logger()
        while _pending:
            name, fields = _pending.popleft()
            emit_event(logger, name, **fields)
    finally:
        _speaking.now = False


def begin_anew() -> None:
    """In a forked child: what waits is the parent's to say, and whoever was in the middle of a flush is not here."""
    _pending.clear()
    _speaking.now = False


def _logger() -> Any:
    """Return a structlog logger: the project's, or one over stdlib logging where structlog is not set up.

    Unconfigured, structlog prints to stdout, which a web process does not expect.
    """
    if structlog.is_configured():
        return structlog.get_logger(NAME)
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
