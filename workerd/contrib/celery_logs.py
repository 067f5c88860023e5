"""Lines of Celery and of its tasks, which carry the task's id and name."""

import logging
from typing import Any

import structlog
from celery import signals
from celery._state import get_current_task

from .task_lines import FIELDS, filter_each_line

ABOUT_TASKS = ("celery.worker.strategy", "celery.app.trace")
LOGGERS = ("celery", "kombu")


def tell_tasks_apart(level: str) -> None:
    """Add the fields in this process and its forks; have Celery configure no logging, but log from ``level`` up."""
    signals.setup_logging.connect(_leave_logging)
    signals.task_prerun.connect(_bind)
    signals.task_postrun.connect(_unbind)
    for logger in map(logging.getLogger, LOGGERS):
        if level or not _is_heard(logger):
            logger.addHandler(logging.StreamHandler())
    if level:
        logging.getLogger("celery").setLevel(level)
    filter_each_line(_name_the_task)


def _is_heard(logger: logging.Logger) -> bool:
    """Return whether the project has a handler for it: its own NullHandler keeps even Python's last resort silent."""
    return not all(isinstance(handler, logging.NullHandler) for handler in (*logger.handlers, *logging.root.handlers))


def _leave_logging(**_: Any) -> None:
    """Be there: Celery configures logging itself where nobody receives the signal."""


def _bind(task_id: str, task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task_id=task_id, task_name=task.name)


def _unbind(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars(*FIELDS)


def _name_the_task(record: logging.LogRecord) -> bool:
    """Have a line say of which task it is, and one of Celery's own not what the task was given and has returned."""
    data = vars(record).pop("data", {}) if record.name in ABOUT_TASKS else {}
    task = get_current_task()
    ids = (task.request.id, task.name) if task else (data.get("id"), data.get("name"))
    for field, value in zip(FIELDS, ids, strict=True):
        if value is not None:
            vars(record).setdefault(field, value)
    return True
