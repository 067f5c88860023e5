"""Warnings of what a row of a task engine's consumer may say but hardly means; each sentence names its remedy."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workerd.command_lines import load_command
from workerd.durations import format_duration
from workerd.job_rules import Fault
from workerd.refusals import RowError
from workerd.wire.spec import JobSpec
from workerd.wire.words import Heartbeat

from .celery_app import is_on_amqp, read_conf, unlimited_queues
from .consumer import ADAPTERS, Consumer, consumer_of
from .limits import limit_of, read_setting

BEAT = "workerd.contrib.celery.beat"
IDENTITY = ("WORKERD_INDEX", "WORKERD_SLOT", "WORKERD_RUN")
"""The variables by which a command's own code may tell its processes apart."""


def find_consumer_warnings(spec: JobSpec) -> Iterator[Fault]:
    """Yield each; ``spec`` has no fault. Where a row runs no engine's consumer there is none."""
    consumer = consumer_of(spec)
    if consumer is not None:
        for judge in _JUDGES:
            yield from judge(spec, consumer)


def _judge_names(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """Celery's nodes need a name each; the adapter gives them theirs."""
    if consumer.engine != "celery" or not consumer.command or spec.processes < 2:
        return
    second = consumer_of(spec, 1)
    assert second is not None
    name, other = (one.option("-n", "--hostname") for one in (consumer, second))
    if name != other or (name is None and (consumer.words != second.words or _names_itself(consumer.command))):
        return
    yield Fault(
        "command",
        f"Its {spec.processes} processes have one name, so that RabbitMQ refuses all but the first: put “-n "
        f"{spec.name}-{{index}}@%h” into its line, have its code read WORKERD_INDEX, {_or_adapter('celery')}.",
    )


def _names_itself(command: str) -> bool:
    """Return whether the command's module asks for what tells its process from others."""
    try:
        text = Path(inspect.getfile(type(load_command(command)))).read_text()
    except (RowError, OSError, TypeError, UnicodeDecodeError):
        return True  # what is wrong with it is told elsewhere
    return any(variable in text for variable in IDENTITY)


def _judge_signal(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """One signal ends huey gracefully, and another one in the midst of its tasks."""
    if consumer.command != "run_huey":
        return
    said = consumer.option("-g", "--graceful-signal") or read_setting("HUEY", "consumer", "graceful_signal")
    graceful, interrupting = ("TERM", "INT") if said == "TERM" else ("INT", "TERM")
    if spec.stop_signal == interrupting:
        yield Fault(
            "stop_signal",
            f"stop_signal is {interrupting}, at which huey interrupts the task in hand, and loses it: set it to "
            f"{graceful}, {_or_adapter('huey')}.",
        )


def _judge_heartbeat(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """Each of these commands was killed when idle; the cluster of q2 on the ORM has processes that query."""
    if spec.heartbeat_timeout is None or not consumer.command:
        return
    if consumer.engine == "q2" and spec.heartbeat == Heartbeat.GROUP and read_setting("Q_CLUSTER", "orm"):
        return
    yield Fault(
        "heartbeat_timeout",
        f"heartbeat_timeout is {format_duration(spec.heartbeat_timeout)}, and “{consumer.command}” waits for tasks "
        f"without a sign of life, so that it is ended as hung: leave it empty, {_or_adapter(consumer.engine)}, which "
        "beats also when idle.",
    )


def _judge_poison(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """A task that ends its process, and is given back for it, ends whichever takes it next."""
    if consumer.target != ADAPTERS["celery"] or not is_on_amqp():
        return
    found = _way_back(consumer.kwargs.get("pool"), is_limited=spec.heartbeat_timeout is not None)
    queues = unlimited_queues(_queues_of(consumer.kwargs)) if found is not None else {}
    if found is not None and queues:
        yield Fault(
            found.field,
            f"A task that {found.deed} its process comes back, and {found.deed} the next one, again and again: "
            f"{found.why}, and {_without_limit(queues)}, or {found.way_out}.",
        )


def _without_limit(queues: Mapping[str, bool]) -> str:
    """Return the words for one of them; the value says whether it is a quorum queue."""
    name = min(queues, key=lambda name: queues[name])  # rather one that no version of the broker limits
    if queues[name]:
        return f"RabbitMQ before 4 delivers from “{name}” without a limit. Give that quorum queue an x-delivery-limit"
    return f"the broker delivers from “{name}” without a limit. Make that a quorum queue with x-delivery-limit"


class _WayBack(NamedTuple):
    field: str
    deed: str
    why: str
    way_out: str


def _way_back(pool: object, *, is_limited: bool) -> _WayBack | None:
    """Return how a broker comes to give a bad task back; the main process of other pools never waits for a task."""
    if pool == "solo":
        why = "the pool “solo” acknowledges no task before its end"
        return _WayBack("heartbeat_timeout", "hangs", why, "choose another pool") if is_limited else None
    needed = ["task_acks_late"] if pool == "threads" else ["task_acks_late", "task_reject_on_worker_lost"]
    if all(map(read_conf, needed)):
        return _WayBack("target", "crashes", f"Celery's {needed[-1]} is set", "unset it")
    return None


def _queues_of(kwargs: Mapping[str, Any]) -> list[str]:
    """Return their names as Celery's own option has them: with commas between them."""
    names = [name.strip() for name in str(kwargs.get("queues") or "").split(",")]
    return [name for name in names if name] or [str(read_conf("task_default_queue"))]


def _judge_beat(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """Celery's beat does not know of others."""
    if consumer.target == BEAT and spec.processes > 1:
        yield Fault(
            "processes",
            f"Each of its {spec.processes} processes sends every task of the schedule at its time: set processes to 1.",
        )


def _judge_stop(spec: JobSpec, consumer: Consumer) -> Iterator[Fault]:
    """A stop kills what is left after stop_timeout, whatever the engine allows."""
    limit = limit_of(consumer)
    if limit is not None and spec.stop_timeout < limit.seconds:
        needed = format_duration(limit.seconds)
        yield Fault(
            "stop_timeout",
            f"stop_timeout is {format_duration(spec.stop_timeout)}, less than the {needed} that {limit.name} gives a "
            f"task: a stop kills one that takes longer. Raise stop_timeout to {needed}, or lower {limit.name}.",
        )


def _or_adapter(engine: str) -> str:
    return f"or run the target {ADAPTERS[engine]}"


_JUDGES: tuple[Callable[[JobSpec, Consumer], Iterator[Fault]], ...] = (
    _judge_names,
    _judge_signal,
    _judge_heartbeat,
    _judge_poison,
    _judge_beat,
    _judge_stop,
)
