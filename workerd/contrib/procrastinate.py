"""procrastinate's worker as a job, over its app for Django."""

import asyncio
import logging
from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name
from .task_lines import lines_of, show_lines

BEAT_S = 1.0
STALLED_EVERY_S = 10.0
log = logging.getLogger(__name__)


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
    options["worker_middleware"] = [_name_lines, *options.get("worker_middleware", ())]
    show_lines("procrastinate")
    connector = app.connector
    if isinstance(connector, DjangoConnector):
        connector = connector.get_worker_connector()
    with app.replace_connector(connector):
        async with app.open_async():
            app.perform_import_paths()
            while not context.stopping:
                try:
                    await _work(context, Worker(app=app, **options), retry_stalled_after)
                except ConnectorException as error:
                    log.warning("the database is away: %s", error)
                    context.beat()
                    await asyncio.sleep(BEAT_S)


async def _work(context: JobContext, consumer: Worker, retry_after: float | None) -> None:
    """Beat from the worker's event loop until it ends, asked to or because of an error."""
    running = asyncio.create_task(consumer.run())
    retrying = asyncio.create_task(_retry_stalled(retry_after)) if retry_after is not None else None
    while not running.done():
        context.beat()
        if consumer.worker_id is not None:
            context.ready()
        if context.stopping:
            consumer.stop()
        await asyncio.wait({running}, timeout=BEAT_S)
    if retrying:
        retrying.cancel()
    await running


async def _name_lines(call_next: Any, context: Any, worker: Any) -> Any:  # noqa: ARG001 - the engine calls it so
    with lines_of(str(context.job.id), context.job.task_name):
        return await call_next()


async def _retry_stalled(after: float) -> None:
    while True:
        try:
            for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=after):
                log.warning(
                    "job %s is done again: its worker has ended", stalled.id, extra={"task_id": str(stalled.id)}
                )
                await app.job_manager.retry_job(stalled)
        except ConnectorException as error:
            log.warning("no look at stalled jobs: %s", error)
        await asyncio.sleep(STALLED_EVERY_S)
