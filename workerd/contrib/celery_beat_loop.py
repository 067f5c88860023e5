"""The loop of Celery's beat: it beats at each turn, and between two tries to connect."""

from typing import Any

from celery.beat import Service
from celery.signals import beat_init
from celery.utils.log import get_logger

from workerd.child.context import JobContext

logger = get_logger("celery.beat")


def send_due_tasks(context: JobContext, service: Service) -> None:
    """Send each task when it is due, until a stop is asked for; then write down what has been sent."""
    scheduler = service.scheduler

    def turn() -> None:
        context.beat()
        if context.stopping:
            raise SystemExit

    def connect() -> Any:
        return scheduler.connection.ensure_connection(_log_error, callback=turn)

    scheduler._ensure_connected = connect
    beat_init.send(sender=service)
    context.ready()
    try:
        while not context.stopping:
            context.beat()
            context.wait(max(scheduler.tick(), 0))
            if scheduler.should_sync():
                scheduler._do_sync()
    finally:
        service.sync()


def _log_error(error: Exception, interval: float) -> None:
    logger.error("cannot connect to the broker: %s; trying again in %s s", error, interval)
