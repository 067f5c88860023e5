"""Time that an engine gives a task, as far as the row, the settings or Celery's app say so."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings

from .celery_app import read_conf
from .consumer import ADAPTERS, Consumer

Said = Iterator[tuple[str, Any]]
"""A name for what was said, and its value; the first one that is a number of seconds counts."""


class Limit(NamedTuple):
    """The seconds that ``name`` gives a task."""

    name: str
    seconds: float


def limit_of(consumer: Consumer) -> Limit | None:
    """Return what is said for this consumer; None where nothing is, and the engine's own default counts."""
    find = _FINDERS.get(consumer.target or consumer.engine)
    said = find(consumer) if find is not None else iter(())
    seconds = ((name, _number(value)) for name, value in said)
    return next((Limit(name, number) for name, number in seconds if number > 0), None)


def _number(value: Any) -> float:
    """Return a number, also one of a command's line; 0 for anything else, such as the None of "no limit"."""
    try:
        return 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return 0.0


def read_setting(name: str, *keys: str) -> Any:
    """Return a value of one of Django's settings that is a dictionary of dictionaries."""
    value = getattr(settings, name, None)
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _celery(consumer: Consumer) -> Said:
    for name in ("task_soft_time_limit", "task_time_limit"):  # at the soft one a task may still clean up
        option = f"--{name.removeprefix('task_').replace('_', '-')}"
        yield f"kwargs.{name}", consumer.kwargs.get(name)
        yield option, consumer.option(option)
        yield f"Celery's {name}", read_conf(name)


def _dramatiq(consumer: Consumer) -> Said:
    yield "kwargs.task_timeout", consumer.kwargs.get("task_timeout")
    name = "--worker-shutdown-timeout"
    yield name, _number(consumer.option(name)) / 1000


def _huey(consumer: Consumer) -> Said:
    yield "kwargs.task_timeout", consumer.kwargs.get("task_timeout")
    if consumer.command:  # the adapter leaves the end of tasks to the row
        yield "--shutdown-timeout", consumer.option("-t", "--shutdown-timeout")
        yield 'HUEY["consumer"]["shutdown_timeout"]', read_setting("HUEY", "consumer", "shutdown_timeout")


def _procrastinate(consumer: Consumer) -> Said:
    name = "shutdown_graceful_timeout"
    yield "--shutdown-graceful-timeout", consumer.option("--shutdown-graceful-timeout")
    yield f'PROCRASTINATE_WORKER_DEFAULTS["{name}"]', read_setting("PROCRASTINATE_WORKER_DEFAULTS", name)


def _q2(consumer: Consumer) -> Said:
    yield "kwargs.timeout", consumer.kwargs.get("timeout")
    yield 'Q_CLUSTER["timeout"]', read_setting("Q_CLUSTER", "timeout")


def _rq(consumer: Consumer) -> Said:
    queues = str(consumer.kwargs.get("queues") or "").split() or consumer.words or ("default",)
    timeouts = {queue: _number(read_setting("RQ_QUEUES", queue, "DEFAULT_TIMEOUT")) for queue in queues}
    longest = max(timeouts, key=lambda queue: timeouts[queue])
    yield f'RQ_QUEUES["{longest}"]["DEFAULT_TIMEOUT"]', timeouts[longest]


def _task_timeout(consumer: Consumer) -> Said:
    yield "kwargs.task_timeout", consumer.kwargs.get("task_timeout")


_OF_COMMANDS: Mapping[str, Callable[[Consumer], Said]] = {
    "celery": _celery,
    "dramatiq": _dramatiq,
    "huey": _huey,
    "procrastinate": _procrastinate,
    "q2": _q2,
    "rq": _rq,
}
_FINDERS = {
    **_OF_COMMANDS,
    **{ADAPTERS[engine]: find for engine, find in _OF_COMMANDS.items()},
    "workerd.contrib.tasks.db_worker": _task_timeout,
    "workerd.contrib.tasks.rq_worker": _rq,
    "workerd.contrib.tasks.steady_queue": _task_timeout,
}
"""By the engine of a command, or by a target."""
