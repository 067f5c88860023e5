"""dramatiq's worker as a job, with the broker and the task modules of django-dramatiq."""

import logging
import time

from dramatiq import Worker

from workerd.child.context import JobContext
from workerd.registry import job

from .dramatiq_setup import import_tasks, prepare_broker
from .dramatiq_threads import WatchedThreads
from .naming import consumer_name
from .task_lines import show_lines

LOOKS_EVERY_S = 0.5
NEVER_MS = 1_000_000_000


@job
def worker(context: JobContext, queues: str = "", threads: int = 8, task_timeout: float = 0) -> None:
    """Run a dramatiq worker for ``queues``, names with spaces between them, or for all.

    A task that takes longer than ``task_timeout`` seconds (0: any) makes the worker count as hung: for what dramatiq's
    own time limit cannot interrupt.
    """
    show_lines("dramatiq")
    watched = WatchedThreads(task_timeout)
    broker = prepare_broker(consumer_name(context), watched)
    import_tasks()
    found = Worker(broker, queues=set(queues.split()) or None, worker_threads=threads)
    found.start()
    while not context.stopping:
        if not watched.are_stuck():
            context.beat()
        if watched.consuming >= set(found.consumers.values()):
            context.ready()
        time.sleep(LOOKS_EVERY_S)  # unlike the context's wait it is no allowance to hang
    try:
        found.stop(timeout=NEVER_MS)
    except Exception:  # of the broker's client: dramatiq cannot give back what it has fetched
        logging.getLogger("dramatiq").warning("Tasks that were fetched come back later.", exc_info=True)
    broker.close()
