"""The threads of dramatiq's worker, and what each is at."""

import math
from collections.abc import Callable
from threading import Thread, current_thread
from typing import Any

from dramatiq import Middleware
from structlog.contextvars import bind_contextvars, unbind_contextvars

from .task_lines import FIELDS
from .watch import Watch

TURNS_WITHIN_S = 120.0
"""A consumer's turn, which may be several attempts to connect to a broker that does not answer."""


class WatchedThreads(Middleware):
    """Knows when each consumer took its last turn, and since when each of the other threads has its task."""

    def __init__(self, task_timeout: float) -> None:
        self._task_within_s = task_timeout or math.inf
        self._watches: dict[Thread, Watch] = {}
        self.consuming: set[Thread] = set()

    def are_stuck(self) -> bool:
        """Return whether a thread has ended, takes no turn, or has had its task for too long."""
        return any(not thread.is_alive() or watch.is_stuck() for thread, watch in list(self._watches.items()))

    def after_worker_thread_boot(self, _broker: Any, thread: Any) -> None:
        self._watches[thread] = Watch(task_within_s=self._task_within_s)

    def after_consumer_thread_boot(self, _broker: Any, thread: Any) -> None:
        """Have its turns noted: after a message or none has come, and after an error of the broker."""
        self._watches[thread] = Watch(turn_within_s=TURNS_WITHIN_S)
        thread.handle_delayed_messages = self._noting(thread, thread.handle_delayed_messages, self.consuming.add)
        thread.close = self._noting(thread, thread.close, self.consuming.discard)

    def before_process_message(self, _broker: Any, message: Any) -> None:
        self._watches[current_thread()].take()
        bind_contextvars(task_id=message.message_id, task_name=message.actor_name)

    def after_process_message(self, *_args: Any, **_kwargs: Any) -> None:
        self._watches[current_thread()].turn()
        unbind_contextvars(*FIELDS)

    after_skip_message = after_process_message

    def _noting(self, thread: Thread, call: Callable[[], None], note: Callable[[Thread], None]) -> Callable[[], None]:
        def noting() -> None:
            self._watches[thread].turn()
            note(thread)
            call()

        return noting
