"""dramatiq's worker as a job, with the broker and the task modules of django-dramatiq."""

import logging
import time
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from threading import Thread, get_ident
from typing import Any

from django_dramatiq.management.commands.rundramatiq import Command
from dramatiq import Middleware, Worker, get_broker
from structlog.contextvars import bind_contextvars, unbind_contextvars

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name
from .task_lines import FIELDS, show_lines

LOOKS_EVERY_S = 0.5
TURNS_WITHIN_S = 120.0
"""A consumer's turn, which may be several attempts to connect to a broker that does not answer."""
NEVER_MS = 1_000_000_000


class Watch(Middleware):
    """Knows the worker's threads, when each consumer took its last turn, and since when each thread has its task."""

    def __init__(self, task_timeout: float) -> None:
        self._task_timeout = task_timeout
        self._threads: list[Thread] = []
        self._turned: dict[Thread, float] = {}
        self._took: dict[int, float] = {}
        self.consuming: set[Thread] = set()

    def is_stuck(self) -> bool:
        """Return whether a thread has ended, takes no turn, or has had its task for too long."""
        now = time.monotonic()
        return (
            not all(thread.is_alive() for thread in self._threads)
            or any(now - turned > TURNS_WITHIN_S for turned in list(self._turned.values()))
            or any(now - took > self._task_timeout > 0 for took in list(self._took.values()))
        )

    def after_worker_thread_boot(self, _broker: Any, thread: Any) -> None:
        self._threads.append(thread)

    def after_consumer_thread_boot(self, _broker: Any, thread: Any) -> None:
        """Have its turns noted: after a message or none has come, and after an error of the broker."""
        self._threads.append(thread)
        thread.handle_delayed_messages = self._noting(thread, thread.handle_delayed_messages, self.consuming.add)
        thread.close = self._noting(thread, thread.close, self.consuming.discard)

    def before_process_message(self, _broker: Any, message: Any) -> None:
        self._took[get_ident()] = time.monotonic()
        bind_contextvars(task_id=message.message_id, task_name=message.actor_name)

    def after_process_message(self, *_args: Any, **_kwargs: Any) -> None:
        self._took.pop(get_ident(), None)
        unbind_contextvars(*FIELDS)

    after_skip_message = after_process_message

    def _noting(self, thread: Thread, call: Callable[[], None], note: Callable[[Thread], None]) -> Callable[[], None]:
        def noting() -> None:
            self._turned[thread] = time.monotonic()
            note(thread)
            call()

        self._turned[thread] = time.monotonic()
        return noting


def _renew_threads(broker: Any) -> None:
    """Make the threads of its middleware anew: one that was made before a fork cannot be started after it."""
    for middleware in broker.middleware:
        for part in vars(middleware).values():
            if isinstance(part, Thread):
                Thread.__init__(part, name=part.name, daemon=part.daemon)


@job
def worker(context: JobContext, queues: str = "", threads: int = 8, task_timeout: float = 0) -> None:
    """Run a dramatiq worker for ``queues``, names with spaces between them, or for all.

    A task that takes longer than ``task_timeout`` seconds (0: any) makes the worker count as hung: for what dramatiq's
    own time limit cannot interrupt.
    """
    show_lines("dramatiq")
    broker, watch = get_broker(), Watch(task_timeout)
    if "broker_id" in vars(broker):  # by which Redis tells whose tasks come back: all forks would have the same one
        broker.broker_id = consumer_name(context)
    broker.add_middleware(watch)
    _renew_threads(broker)
    broker.emit_after("process_boot")
    _, *modules = Command(stdout=StringIO()).discover_tasks_modules()  # the first one is Django's setup
    for module in modules:
        import_module(module)
    found = Worker(broker, queues=set(queues.split()) or None, worker_threads=threads)
    found.start()
    while not context.stopping:
        if not watch.is_stuck():
            context.beat()
        if watch.consuming >= set(found.consumers.values()):
            context.ready()
        time.sleep(LOOKS_EVERY_S)  # unlike the context's wait it is no allowance to hang
    try:
        found.stop(timeout=NEVER_MS)
    except Exception:  # of the broker's client: dramatiq cannot give back what it has fetched
        logging.getLogger("dramatiq").warning("Tasks that were fetched come back later.", exc_info=True)
    broker.close()
