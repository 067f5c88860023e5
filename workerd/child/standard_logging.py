"""The standard library's logging in a child: what would go to stdout or stderr reaches the daemon as one line each.

No level is changed and no handler is added, unless WORKERD["LOG_LEVEL"] says so: what is shown is what plain Python
shows.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

from .handler_prints import take_prints
from .rendering import Renderer, format_exception
from .stdio import LineWriter

REPORTED = "workerd_reported"
"""Marks a record whose event is in the pipe already: no handler writes it there again, the project's others take it."""

KNOWN_BY = 20
"""The characters of a message, blanks left out, by which a text is known to be the record's: a handler may wrap it."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "_logger", "_name", REPORTED}
_emit_text = logging.StreamHandler.emit


class RecordWriter:
    """Writes each record as one line, also where several handlers on the record's way write to the streams."""

    def __init__(self, renderer: Renderer, sink: LineWriter) -> None:
        self._renderer = renderer
        self._sink = sink

    def write(self, record: logging.LogRecord, handler: logging.Handler, *, formatted: bool) -> None:
        """Write the record for ``handler``, as its formatter renders it if ``formatted``."""
        if getattr(record, REPORTED, False):
            return
        try:
            event = _head(record) | {"event": handler.format(record)} if formatted else _to_event(record)
            line = self._renderer.render(event)
        except Exception:  # noqa: BLE001 - as in every handler of the standard library: a log call with wrong arguments must not end the job
            handler.handleError(record)
            return
        setattr(record, REPORTED, True)
        self._sink.write_line(line)

    def write_printed(self, record: logging.LogRecord, text: str) -> bool:
        """Write the record as ``text``, which a handler of another kind has printed of it; return whether that is done.

        Where the record is written already, its message is not written again, and any other text is for the stream.
        """
        try:
            if getattr(record, REPORTED, False):
                return _squeeze(record.getMessage())[:KNOWN_BY] in _squeeze(text)
            line = self._renderer.render(_head(record) | {"event": text})
        except Exception:  # noqa: BLE001 - a record may be anything, and the job's log call must not raise: the text is shown as it is
            return False
        setattr(record, REPORTED, True)
        self._sink.write_line(line)
        return True


class PipeHandler(logging.Handler):
    """Stands in place of a handler on stdout or stderr that the project configured when it was loaded."""

    def __init__(self, writer: RecordWriter, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(record, self, formatted=False)


def take_records(writer: RecordWriter, level: int | None) -> None:
    """Have every handler on stdout or stderr write by ``writer``, now or later.

    A ``level`` becomes the root logger's, and one without handlers gets a handler.
    """
    ours = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)  # whatever the job puts in their place later
    for logger in _loggers():
        for handler in list(logger.handlers):
            if isinstance(handler, PipeHandler) or _writes_to(ours, handler):
                replacement = PipeHandler(writer, handler.level)
                replacement.filters = handler.filters
                logger.handlers[logger.handlers.index(handler)] = replacement
    root = logging.getLogger()
    if level is not None:
        root.setLevel(level)
        if not root.handlers:
            root.addHandler(PipeHandler(writer, level))

    def emit(handler: Any, record: logging.LogRecord) -> None:
        """Write the record of a handler that the job has added, or of ``logging.lastResort``."""
        if _writes_to(ours, handler):
            writer.write(record, handler, formatted=handler.formatter is not None)
        else:
            _emit_text(handler, record)

    logging.StreamHandler.emit = emit  # type: ignore[method-assign, assignment]
    take_prints(writer.write_printed, lambda handler: type(handler).emit in {emit, PipeHandler.emit})


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _head(record: logging.LogRecord) -> dict[str, Any]:
    return {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }


def _to_event(record: logging.LogRecord) -> MutableMapping[str, Any]:
    """Return the record as structlog's event dict."""
    event: MutableMapping[str, Any] = _head(record)
    if isinstance(record.msg, MutableMapping):  # an event of structlog, passed on by its wrap_for_formatter
        event = {**event, **record.msg}
    else:
        event["event"] = record.getMessage()
    event.update((name, value) for name, value in vars(record).items() if name not in _PLAIN)
    if record.exc_info and "exception" not in event:
        event["exc_info"] = record.exc_info
    if record.stack_info:
        event["stack"] = record.stack_info
    return format_exception(None, "", event)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.getLogger()
    # logging keeps a PlaceHolder for a name that is only the parent of a logger, such as "shop" of "shop.orders"
    yield from (logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger))


def _writes_to(ours: tuple[Any, ...], handler: logging.Handler) -> bool:
    """Return whether the handler writes to stdout or stderr, which are ``ours`` or on descriptors 1 and 2."""
    if not isinstance(handler, logging.StreamHandler) or isinstance(handler, logging.FileHandler):
        return False
    return any(handler.stream is stream for stream in ours) or _descriptor(handler.stream) in {1, 2}


def _descriptor(stream: Any) -> int:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError, TypeError):  # a stream in memory, or a closed one
        return -1
