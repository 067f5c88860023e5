"""The site with django-tasks-rq."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import BROKER, INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_rq"]
WORKERD = {**WORKERD, "ENGINES": ["tasks"]}
RQ_QUEUES = {"default": {"URL": BROKER}}
TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend"}}
ENQUEUE = "tests.engines.db_worker.tasks.enqueue"
