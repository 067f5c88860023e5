"""huey's consumer as a job, over the HUEY of djhuey."""

from typing import Literal

from django.utils.module_loading import autodiscover_modules

from workerd.child.context import JobContext
from workerd.registry import job

from .huey_consumer import BeatingConsumer
from .huey_options import consumer_options
from .task_lines import show_lines


@job
def worker(
    context: JobContext, workers: int = 0, worker_type: Literal["", "thread", "process"] = "", task_timeout: float = 0
) -> None:
    """Run a huey consumer; what is not given is as the settings say.

    A task that takes longer than ``task_timeout`` seconds (0: any) is interrupted in a process; among threads, which
    huey cannot interrupt, the consumer counts as hung.
    """
    show_lines("huey")
    options = consumer_options(workers, worker_type)
    options["periodic"] = options.get("periodic", True) and context.index == 0  # each enqueues them: one will do
    autodiscover_modules("tasks")
    BeatingConsumer(context, task_timeout, **options).run()
