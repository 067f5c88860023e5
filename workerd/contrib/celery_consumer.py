"""The consumer of Celery's worker, which beats by itself, and the worker around it."""

from collections.abc import Callable
from typing import Any

from celery.apps.worker import Worker
from celery.platforms import EX_OK
from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import state
from celery.worker.consumer import Consumer

from workerd.child.context import JobContext

BEAT_S = 1.0
logger = get_logger(__name__)


class BeatingConsumer(Consumer):
    """A consumer that beats, and looks for the request to stop, from its own loop, and between tries to connect."""

    def turn(self) -> None:
        """Do so once."""
        context: JobContext = self.controller.context
        if context.stopping and state.should_stop is None:
            state.should_stop = EX_OK
            worker_shutting_down.send(sender=self.hostname, sig="SIGTERM", how="Warm", exitcode=EX_OK)
        context.beat()

    def on_ready(self) -> None:
        super().on_ready()
        self.controller.context.ready()

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        hub.timer.call_repeatedly(BEAT_S, self.turn)  # the loop itself calls its timers

    def perform_pending_operations(self) -> None:
        """Begin a turn of the other loop, that of brokers which cannot be polled."""
        super().perform_pending_operations()
        self.turn()

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, trying again until the broker is there; ``callback`` is called each second meanwhile."""
        connect = conn.ensure_connection

        def connect_beating(*args: Any, callback: Callable[[], None], **options: Any) -> Any:
            def turn() -> None:
                self.turn()
                callback()

            return connect(*args, callback=turn, **options)

        conn.ensure_connection = connect_beating
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of the lost connection, to connect anew."""
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError:  # in kombu 5.7, which has a task to give back to a Redis that is lost
            logger.warning("tasks in hand stay with the broker, which lends them again later", exc_info=True)


class BeatingWorker(Worker):
    """A worker that leaves the signals and its title in ``ps`` to workerd."""

    context: JobContext

    def set_process_status(self, info: str) -> None:
        """Keep the title."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Install no handlers: TERM, INT, QUIT and HUP would mean different things, and a second one another."""
