"""A job that falls silent, beside which the stories wait."""

import time

from workerd import JobContext, job


@job
def fall_silent(context: JobContext) -> None:
    """Never beat again; who is well outlives this one."""
    context.beat()
    time.sleep(3600)
