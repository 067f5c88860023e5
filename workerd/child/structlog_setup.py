"""structlog in a child: an event that would be printed reaches the daemon as one structured line."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from .rendering import Renderer, format_exception
from .stdio import LineWriter

_FACTORIES = (structlog.PrintLoggerFactory, structlog.WriteLoggerFactory, structlog.BytesLoggerFactory)


def take_events(renderer: Renderer, sink: LineWriter) -> None:
    """Have loggers that print write to ``sink``; the project's levels stay, and its processors but the renderer.

    Loggers over the standard library, or over a file, go on as they are.
    """
    config = structlog.get_config()
    factory = config["logger_factory"]
    if isinstance(factory, _LineLoggerFactory):  # the forkserver's, from before the fork
        processors = factory.processors
    elif not _prints(factory):
        return
    else:
        processors = config["processors"][:-1] if structlog.is_configured() else []
    structlog.configure(
        processors=[*processors, *own_processors(renderer)], logger_factory=_LineLoggerFactory(sink, processors)
    )


def own_logger(renderer: Renderer, sink: LineWriter, name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger of workerd's own, whatever the project has configured."""
    bound: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        _LineLogger(sink, name),
        processors=own_processors(renderer),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return bound


def own_processors(renderer: Renderer) -> list[Any]:
    """Return what completes an event and renders it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        format_exception,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_logger_name,
        lambda _logger, _method, event: renderer.render(event),
    ]


class _LineLogger:
    """The logger below structlog's processors: it has a method for each level, and all write the rendered line."""

    def __init__(self, sink: LineWriter, name: str = "") -> None:
        self.name = name
        self.msg = self.debug = self.info = self.warning = self.warn = sink.write_line
        self.error = self.err = self.critical = self.fatal = self.exception = self.failure = self.log = sink.write_line


class _LineLoggerFactory:
    def __init__(self, sink: LineWriter, processors: list[Any]) -> None:
        self._sink = sink
        self.processors = processors
        """The project's own."""

    def __call__(self, *args: Any) -> _LineLogger:
        return _LineLogger(self._sink, str(args[0]) if args and args[0] is not None else "")


def _prints(factory: Any) -> bool:
    if factory in {structlog.PrintLogger, structlog.WriteLogger, structlog.BytesLogger}:
        return True
    if not isinstance(factory, _FACTORIES):
        return False
    file = factory._file
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return file is None or any(file in {stream, getattr(stream, "buffer", stream)} for stream in streams)


def _add_logger_name(logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if logger.name:
        event.setdefault("logger", logger.name)
    return event
