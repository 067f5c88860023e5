"""The work of every engine's task: it marks when it begins and when it is done."""

import logging
import os
import time

from tests.process.bad_jobs.models import Mark

BEGAN, DONE = "began", "done"


def do_work(number: int, seconds: float) -> None:
    """Take so long, and leave a mark before and after it. ``number`` tells the tasks apart."""
    logging.getLogger(__name__).warning("task %d", number)
    mark(BEGAN, number)
    time.sleep(seconds)
    mark(DONE, number)


def mark(what: str, number: int) -> None:
    """Leave a mark, with the number of the slot whose process this is, or in whose process's fork."""
    Mark.objects.create(job=what, pid=os.getpid(), text=f"{number} {os.environ['WORKERD_INDEX']}")
