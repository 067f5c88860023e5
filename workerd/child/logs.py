"""Logging in a child: an event of structlog or of the standard library reaches the daemon as one structured line.

Only handlers on stdout or stderr are replaced; the project's others (files, Sentry, mail) stay as they are.
"""

import logging
import sys
import threading
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from .rendering import Renderer
from .stdio import LineWriter

REPORTED = "workerd_reported"
"""Marks a record whose event is in the pipe already: PipeHandler passes it by, the project's other handlers take it."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "_logger", "_name", REPORTED}
_format_exception = structlog.processors.format_exc_info


def install_logging(renderer: Renderer, sink: LineWriter) -> structlog.typing.FilteringBoundLogger:
    """Configure both kinds of logging for this process; return the logger of workerd's own events."""
    _install_structlog(renderer, sink)
    _install_standard(renderer, sink)
    threading.excepthook = _log_thread_failure
    return _wrap(_LineLogger(sink, "workerd.child"), _own_processors(renderer))


class PipeHandler(logging.Handler):
    """Writes each record as one line, also where several loggers on the record's way have such a handler."""

    def __init__(self, renderer: Renderer, sink: LineWriter, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._renderer = renderer
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, REPORTED, False):
            return
        try:
            line = self._renderer.render(_to_event(record))
        except Exception:  # noqa: BLE001 - as in every handler of the standard library: a log call with wrong arguments must not end the job
            self.handleError(record)
            return
        setattr(record, REPORTED, True)
        self._sink.write_line(line)


def _to_event(record: logging.LogRecord) -> MutableMapping[str, Any]:
    """Return the record as structlog's event dict."""
    event: MutableMapping[str, Any] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    if isinstance(record.msg, MutableMapping):  # an event of structlog, passed on by its wrap_for_formatter
        event = {**event, **record.msg}
    else:
        event["event"] = record.getMessage()
    event.update((name, value) for name, value in vars(record).items() if name not in _PLAIN)
    if record.exc_info and "exception" not in event:
        event["exc_info"] = record.exc_info
    if record.stack_info:
        event["stack"] = record.stack_info
    return _format_exception(None, "", event)


class _LineLogger:
    """The logger below structlog's processors: it has a method for each level, and all write the rendered line."""

    def __init__(self, sink: LineWriter, name: str = "") -> None:
        self.name = name
        self.msg = self.debug = self.info = self.warning = self.warn = sink.write_line
        self.error = self.err = self.critical = self.fatal = self.exception = self.failure = self.log = sink.write_line


def _install_structlog(renderer: Renderer, sink: LineWriter) -> None:
    config = structlog.get_config()
    if isinstance(config["logger_factory"], structlog.stdlib.LoggerFactory):
        return  # the project sends its events to the standard library, where PipeHandler takes them

    def make_logger(*args: Any) -> _LineLogger:
        return _LineLogger(sink, str(args[0]) if args and args[0] is not None else "")

    if structlog.is_configured():  # keep the project's way of filtering, and its processors but the last, the renderer
        processors = [*config["processors"][:-1], *_own_processors(renderer)]
        structlog.configure(processors=processors, logger_factory=make_logger)
    else:
        structlog.configure(
            processors=_own_processors(renderer),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=make_logger,
        )


def _own_processors(renderer: Renderer) -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        _format_exception,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_logger_name,
        lambda _logger, _method, event: renderer.render(event),
    ]


def _add_logger_name(logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if logger.name:
        event.setdefault("logger", logger.name)
    return event


def _wrap(logger: _LineLogger, processors: list[Any]) -> structlog.typing.FilteringBoundLogger:
    bound: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        logger, processors=processors, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    return bound


def _install_standard(renderer: Renderer, sink: LineWriter) -> None:
    """Replace the handlers on stdout and stderr; where the project configured none, add one from INFO up."""
    for logger in _loggers():
        for handler in list(logger.handlers):
            if _writes_to_streams(handler):
                replacement = PipeHandler(renderer, sink, handler.level)
                replacement.filters = handler.filters
                logger.handlers[logger.handlers.index(handler)] = replacement
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(PipeHandler(renderer, sink))
        root.setLevel(min(root.level, logging.INFO) if root.level else logging.INFO)
    workerd_logger = logging.getLogger("workerd")
    if workerd_logger.level == logging.NOTSET:  # else a root at WARNING would drop workerd's own events
        workerd_logger.setLevel(logging.INFO)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.getLogger()
    # logging keeps a PlaceHolder for a name that is only the parent of a logger, such as "shop" of "shop.orders"
    yield from (logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger))


def _writes_to_streams(handler: logging.Handler) -> bool:
    if isinstance(handler, PipeHandler):
        return True
    if not isinstance(handler, logging.StreamHandler) or isinstance(handler, logging.FileHandler):
        return False
    return handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) or _descriptor(
        handler.stream
    ) in (1, 2)


def _descriptor(stream: TextIO) -> int:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stream in memory, or a closed one
        return -1


def _log_thread_failure(args: threading.ExceptHookArgs) -> None:
    if issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "?"
    failure = (args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    logging.getLogger("workerd.child").error("thread %s failed", name, exc_info=failure)
