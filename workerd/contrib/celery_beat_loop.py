"""The loop of Celery's beat: it beats at each turn, and between two tries to connect."""

from typing import Any

from celery.beat import Service
from celery.signals import beat_init

from workerd.child.context import JobContext

from .outage import Outage


def send_due_tasks(context: JobContext, service: Service) -> None:
    """Send each task when it is due, until a stop is asked for; then write down what has been sent."""
    scheduler = service.scheduler
    outage = Outage(context, "the broker")

    def turn() -> None:
        context.beat()
        if context.stopping:
            raise SystemExit

    def connect() -> Any:
        return scheduler.connection.ensure_connection(lambda error, _pause: outage.goes_on(error), callback=turn)

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
