"""Counts what waits in a queue of each engine, by a name such as “rq:default”, or in what a project has of its own.

A name is looked up among the marked functions alone; it is no path to any other code. Each imports its engine when it
counts.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.utils import timezone

from .scaling_rule import Depth

Probe = Callable[[str], Depth | int]

_probes: dict[str, Probe] = {}


def probe(function: Probe) -> Probe:
    """Mark a function that counts what waits, for the rows of scalers: they name it, or “NAME:QUEUE”.

    It gets the text after the colon, "" without one, and returns a number or a Depth; a count that fails raises.
    """
    name = function.__name__
    known = _probes.get(name)
    if known is not None and known.__module__ != function.__module__:
        raise ValueError(f"“{name}” counts something already, in {known.__module__}: give the function another name")
    _probes[name] = function
    return function


def counter_of(depth: str) -> Callable[[], Depth]:
    """Return what counts ``depth``. Raises ValueError where no function of that name is marked."""
    name, _colon, queue = depth.partition(":")
    found = _probes.get(name)
    if found is None:
        raise ValueError(f"nothing counts “{name}”: there are {', '.join(sorted(_probes))}; mark your own @probe")
    count = found

    def counted() -> Depth:
        answer = count(queue)
        return answer if isinstance(answer, Depth) else Depth(answer)

    return counted


@probe
def celery(queue: str) -> Depth:
    """Count what no worker has fetched yet; of the project's current app."""
    from celery import current_app

    queue = queue or current_app.conf.task_default_queue
    with current_app.connection_for_read() as connection:
        channel = connection.channel()
        if hasattr(channel, "_size"):  # a broker without queues of its own, as Redis: an empty one is not there
            return Depth(channel._size(queue))
        return Depth(channel.queue_declare(queue, passive=True).message_count)


@probe
def dramatiq(queue: str) -> Depth:
    """Count what no worker has fetched yet. On Redis, what one has fetched counts as in hand."""
    from dramatiq import get_broker

    broker: Any = get_broker()
    queue = queue or "default"
    if hasattr(broker, "client"):
        key = f"{broker.namespace}:{queue}"
        waiting, known = broker.client.pipeline().llen(key).hlen(f"{key}.msgs").execute()
        return Depth(waiting, max(0, known - waiting))
    try:
        return Depth(broker.channel.queue_declare(queue=queue, passive=True).method.message_count)
    finally:
        del broker.connection  # lest it is dead at the next count, as nobody serves it meanwhile


@probe
def huey(queue: str) -> Depth:
    """Count the queue of the one Huey of djhuey."""
    from huey.contrib.djhuey import HUEY

    if queue not in {"", HUEY.name}:
        raise ValueError(f"the queue is “{HUEY.name}”, not “{queue}”")
    return Depth(HUEY.pending_count())


@probe
def ox(queue: str) -> Depth:
    """Count the tasks of django-ox that are due; without a name those of all queues."""
    from django_ox.models import OxTask

    found = _of_queue(OxTask.objects.all(), "queue_name", queue)
    due = found.filter(_is_due("run_after"), status=OxTask.Status.READY)
    return Depth(due.count(), found.filter(status=OxTask.Status.RUNNING).count())


@probe
def procrastinate(queue: str) -> Depth:
    """Count the jobs that are due; without a name those of all queues. In hand are those of workers that live."""
    from procrastinate.contrib.django.models import ProcrastinateJob

    jobs = _of_queue(ProcrastinateJob.objects.all(), "queue_name", queue)
    in_hand = jobs.filter(status="doing", worker__isnull=False)
    return Depth(jobs.filter(_is_due("scheduled_at"), status="todo").count(), in_hand.count())


@probe
def q2(queue: str) -> Depth:
    """Count the queue of a cluster, the default one's without a name; the ORM's broker knows what is in hand."""
    from django_q.brokers import get_broker

    broker = get_broker(queue or None)
    return Depth(broker.queue_size(), broker.lock_size())


@probe
def rq(queue: str) -> Depth:
    """Count a queue of django-rq."""
    from django_rq import get_queue

    found = get_queue(queue or "default")
    return Depth(found.count, found.started_job_registry.get_job_count(cleanup=False))


@probe
def steady_queue(queue: str) -> Depth:
    """Count the tasks of Steady Queue that are ready to run; without a name those of all queues."""
    from steady_queue.models.claimed_execution import ClaimedExecution
    from steady_queue.models.ready_execution import ReadyExecution

    in_hand = _of_queue(ClaimedExecution.objects.all(), "job__queue_name", queue)
    return Depth(_of_queue(ReadyExecution.objects.all(), "queue_name", queue).count(), in_hand.count())


@probe
def tasks(queue: str) -> Depth:
    """Count the tasks of django-tasks-db that are ready to run; without a name those of all queues."""
    from django_tasks_db.models import DBTaskResult

    found = _of_queue(DBTaskResult.objects.all(), "queue_name", queue)
    return Depth(found.ready().count(), found.running().count())


def _of_queue(rows: Any, field: str, queue: str) -> Any:
    return rows.filter(**{field: queue}) if queue else rows


def _is_due(field: str) -> Q:
    return Q(**{field: None}) | Q(**{f"{field}__lte": timezone.now()})
