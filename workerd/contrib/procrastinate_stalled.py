"""Jobs of procrastinate's whose worker has ended: they are done again."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

LOOKS_EVERY_S = 10.0
log = logging.getLogger(__name__)


@contextmanager
def stalled_jobs_retried(after_s: float | None) -> Iterator[None]:
    """Retry them in the event loop, while the block runs, ``after_s`` after their worker's last heartbeat.

    With None they stay.
    """
    retrying = asyncio.create_task(_retry_stalled(after_s)) if after_s is not None else None
    try:
        yield
    finally:
        if retrying:
            retrying.cancel()


async def _retry_stalled(after_s: float) -> None:
    while True:
        try:
            for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=after_s):
                which = {"task_id": str(stalled.id)}
                log.warning("job %s is done again: its worker has ended", stalled.id, extra=which)
                await app.job_manager.retry_job(stalled)
        except ConnectorException as error:
            log.warning("no look at stalled jobs: %s", error)
        await asyncio.sleep(LOOKS_EVERY_S)
