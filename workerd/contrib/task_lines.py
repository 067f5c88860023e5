"""Log lines that say to which task of an engine's they belong."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

from structlog.contextvars import bound_contextvars, get_contextvars

FIELDS = ("task_id", "task_name")


def lines_of(task_id: str, task_name: str) -> AbstractContextManager[None]:
    """Have every line that is logged in the block, in this thread and in what it forks, carry the task."""
    return bound_contextvars(task_id=task_id, task_name=task_name)


def show_lines(name: str, level: str = "INFO") -> None:
    """Give the standard library's records those fields, and show the engine's own unless the project says what of it.

    ``name`` is the engine's logger.
    """
    logger = logging.getLogger(name)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(level)
    filter_each_line(_name_the_task)


def filter_each_line(look: Callable[[logging.LogRecord], bool]) -> None:
    """Have every handler that there is call ``look`` with each record.

    A factory of records would add fields too early: logging refuses an ``extra`` that the record has already.
    """
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = {handler for logger in loggers for handler in getattr(logger, "handlers", ())}
    for handler in filter(None, (logging.lastResort, *handlers)):
        handler.addFilter(look)


def _name_the_task(record: logging.LogRecord) -> bool:
    bound = get_contextvars()
    for field in FIELDS:
        if field in bound:
            vars(record).setdefault(field, bound[field])
    return True
