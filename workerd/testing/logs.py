"""The log of a job in a test (``Logs``)."""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import LogCapture


class Logs:
    """Collects events: those of ``context.log``, and the records that the project's levels let through."""

    def __init__(self) -> None:
        self._capture = LogCapture()

    @property
    def events(self) -> list[MutableMapping[str, Any]]:
        return self._capture.entries

    def logger(self) -> Any:
        """Return a logger whose events come here and go nowhere else."""
        return structlog.wrap_logger(
            None,
            processors=[structlog.contextvars.merge_contextvars, self._capture],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        )

    @contextmanager
    def taking_records(self) -> Iterator[None]:
        """Take the records of the standard library's logging, besides the project's own handlers."""
        handler = _RecordHandler(self.events)
        logging.root.addHandler(handler)
        try:
            yield
        finally:
            logging.root.removeHandler(handler)


class _RecordHandler(logging.Handler):
    def __init__(self, events: list[MutableMapping[str, Any]]) -> None:
        super().__init__()
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - the arguments do not fit the text: said as every handler says it
            self.handleError(record)
        else:
            self._events.append({"event": text, "log_level": record.levelname.lower(), "logger": record.name})
