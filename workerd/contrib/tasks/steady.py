"""The processes of Steady Queue, in a job."""

from datetime import timedelta

import steady_queue
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from workerd.child.context import JobContext
from workerd.contrib.task_lines import show_lines

from .steady_supervisor import BeatingSupervisor


def work(context: JobContext, task_timeout: float) -> None:
    """Run the processes that STEADY_QUEUE names; at a stop their tasks have ``task_timeout`` seconds to end."""
    show_lines("steady_queue")
    BeatingSupervisor.context = context
    steady_queue.shutdown_timeout = timedelta(seconds=task_timeout)
    autodiscover_modules("tasks")
    BeatingSupervisor.launch(getattr(settings, "STEADY_QUEUE", None))
