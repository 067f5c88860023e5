"""The consumer of Celery's worker: it has the worker take a turn from its own loop, and between tries to connect."""

from collections.abc import Callable
from typing import Any

from celery.utils.log import get_logger
from celery.worker.consumer import Consumer

BEAT_S = 1.0
logger = get_logger(__name__)


class BeatingConsumer(Consumer):
    """The consumer of a BeatingWorker, which is its ``controller``."""

    def on_ready(self) -> None:
        super().on_ready()
        self.controller.context.ready()

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        hub.timer.call_repeatedly(BEAT_S, self.controller.turn)  # the loop itself calls its timers

    def perform_pending_operations(self) -> None:
        """Begin a turn of the other loop, that of brokers which cannot be polled."""
        super().perform_pending_operations()
        self.controller.turn()

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, trying again until the broker is there; ``callback`` is called each second meanwhile."""
        connect = conn.ensure_connection

        def connect_beating(*args: Any, callback: Callable[[], None], **options: Any) -> Any:
            def turn() -> None:
                self.controller.turn()
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
