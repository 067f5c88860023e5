"""Logging in a child: an event of structlog or of the standard library reaches the daemon as one structured line.

What is shown is what plain Python shows with the project's own configuration, no more and no less: levels stay, and
handlers on files, Sentry or mail stay as they are. workerd's own events do not depend on the project's levels.
"""

import logging
import threading

import structlog

from workerd.forksafe import events

from .rendering import Renderer
from .standard_logging import REPORTED, RecordWriter, take_records
from .stdio import LineWriter
from .structlog_setup import own_logger, take_events

Logger = structlog.typing.FilteringBoundLogger


def install_logging(renderer: Renderer, sink: LineWriter, level: int | None = None) -> Logger:
    """Configure both kinds of logging for this process; return the logger of workerd's own events.

    ``level`` is WORKERD["LOG_LEVEL"], the level of the root logger; None leaves it as the project has it.
    """
    take_events(renderer, sink)
    take_records(RecordWriter(renderer, sink), level)
    log = own_logger(renderer, sink, "workerd.child")
    if threading.excepthook is threading.__excepthook__ or isinstance(threading.excepthook, _ThreadFailures):
        threading.excepthook = _ThreadFailures(log)
    events.own_loggers[:] = own_logger(renderer, sink, events.NAME), _for_other_handlers()
    return log


class _ThreadFailures:
    """Logs what ends a thread, where Python would print it."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread else "?"
        failure = (args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
        self._log.error(f"thread {name} failed", exc_info=failure)


def _for_other_handlers() -> structlog.stdlib.BoundLogger:
    """Return the logger by which the project's handlers get forksafe's events, as far as its levels let them."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.LoggerAdapter(logging.getLogger(events.NAME), {REPORTED: True}),
        processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return bound
