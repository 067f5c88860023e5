"""The site with Steady Queue."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "steady_queue"]
WORKERD = {**WORKERD, "ENGINES": ["tasks"]}
TASKS = {"default": {"BACKEND": "steady_queue.backend.SteadyQueueBackend"}}
ENQUEUE = "tests.engines.db_worker.tasks.enqueue"
