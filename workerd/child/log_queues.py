"""The queues between loggers and listener threads: a fork has the queue and no thread that reads it."""

import atexit
import gc
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from functools import cache
from typing import Any

Listener = logging.handlers.QueueListener
_KINDS = (queue.Queue, queue.SimpleQueue)
"""The queues of one process; one of multiprocessing is read by whoever the project says."""


def queue_handlers() -> Iterator[tuple[logging.Logger, logging.handlers.QueueHandler]]:
    """Yield each handler that writes into a queue of this process, with a logger that has it."""
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.handlers.QueueHandler) and isinstance(handler.queue, _KINDS):
                yield logger, handler  # type: ignore[misc]


@cache
def listeners_of_queues() -> list[Listener]:
    """Return the running listeners of these queues, as they were at the first call: when the project was loaded."""
    queues = [handler.queue for _, handler in queue_handlers()]
    if not queues:
        return []
    # By its type: isinstance() asks an object for __class__, which evaluates Django's lazy objects.
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), Listener)]
    return [thing for thing in found if thing._thread and any(thing.queue is known for known in queues)]


def restart_listeners() -> None:
    """Give each listener of the load a queue and a thread of this process, and have it write all at the end."""
    for listener in listeners_of_queues():
        # A new queue: the thread that is not here may have held the old one's lock at the fork.
        fresh = _renewed(listener.queue)
        for _, handler in queue_handlers():
            if handler.queue is listener.queue:
                handler.queue = fresh
        listener.queue = fresh
        listener._thread = None
        listener.start()
        atexit.register(_stop, listener)


def _renewed(old: Any) -> Any:
    return type(old)(old.maxsize) if isinstance(old, queue.Queue) else type(old)()


def _stop(listener: Listener) -> None:
    if listener._thread is not None:
        listener.stop()
    # The project's own atexit function comes next, and Python 3.11 would raise there.
    listener._thread = _Ended()  # type: ignore[assignment]


class _Ended:
    """Stands for a thread that has ended."""

    def join(self) -> None: ...
