"""procrastinate's worker as a job, over its app for Django."""

from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import ConnectorException

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name
from .outage import Outage
from .procrastinate_stalled import stalled_jobs_retried
from .procrastinate_worker import BEAT_S, BeatingWorker
from .task_lines import show_lines


@job
async def worker(
    context: JobContext, queues: str = "", concurrency: int | None = None, retry_stalled_after: float | None = None
) -> None:
    """Run a procrastinate worker for ``queues``, names with spaces between them; without a name for all.

    What is left out is as PROCRASTINATE_WORKER_DEFAULTS says.
    A job in hand when its worker is killed stays in the state “doing”; with ``retry_stalled_after`` it is done again so
    many seconds after that worker's last heartbeat, of which there is one each 10 seconds.
    """
    options: dict[str, Any] = {**app.worker_defaults}
    options |= {"queues": queues.split()} if queues else {}
    options |= {"concurrency": concurrency} if concurrency else {}
    options |= {"name": consumer_name(context), "install_signal_handlers": False}
    show_lines("procrastinate")
    connector = app.connector
    if isinstance(connector, DjangoConnector):
        connector = connector.get_worker_connector()
    outage = Outage(context, "the database", ConnectorException)
    with app.replace_connector(connector):
        async with app.open_async():
            app.perform_import_paths()
            while not context.stopping:
                with outage, stalled_jobs_retried(retry_stalled_after):
                    await BeatingWorker(context, app=app, **options).work()
                await context.await_stop(BEAT_S)
