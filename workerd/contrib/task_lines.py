"""Log lines that say to which task of an engine's they belong."""

import logging
from contextlib import AbstractContextManager
from typing import Any

from structlog.contextvars import bound_contextvars, get_contextvars

FIELDS = ("task_id", "task_name")


def lines_of(task_id: str, task_name: str) -> AbstractContextManager[None]:
    """Have every line that is logged in the block, in this thread and in what it forks, carry the task."""
    return bound_contextvars(task_id=task_id, task_name=task_name)


def show_lines(name: str, level: str = "INFO") -> None:
    """Give the standard library's records those fields, and show the engine's own unless the project says what of it.

    ``name`` is the engine's logger.
    """
    make = logging.getLogRecordFactory()

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        bound = get_contextvars()
        vars(record).update({field: bound[field] for field in FIELDS if field in bound})
        return record

    logging.setLogRecordFactory(make_record)
    logger = logging.getLogger(name)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(level)
