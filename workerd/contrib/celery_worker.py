"""Celery's worker, as far as workerd does what its command would."""

from typing import Any

from celery.apps.worker import Worker
from celery.platforms import EX_OK
from celery.signals import worker_shutting_down
from celery.worker import state

from workerd.child.context import JobContext

from .celery_consumer import BeatingConsumer
from .naming import consumer_name


class BeatingWorker(Worker):
    """A worker that leaves the signals and its title in ``ps`` to workerd, and waits for its broker without end."""

    def __init__(self, context: JobContext, app: Any, **options: Any) -> None:
        self.context = context
        app.conf.update(broker_connection_retry_on_startup=True, broker_connection_max_retries=None)
        name = consumer_name(context)
        super().__init__(app=app, hostname=name, consumer_cls=BeatingConsumer, quiet=True, **options)

    def turn(self) -> None:
        """Beat, and begin a warm shutdown once the job is to stop."""
        if self.context.stopping and state.should_stop is None:
            state.should_stop = EX_OK
            worker_shutting_down.send(sender=self.hostname, sig="SIGTERM", how="Warm", exitcode=EX_OK)
        self.context.beat()

    def set_process_status(self, info: str) -> None:
        """Keep the title."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Install no handlers: TERM, INT, QUIT and HUP would mean different things, and a second one another."""
