"""The site with django-tasks-db."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
WORKERD = {**WORKERD, "ENGINES": ["tasks"]}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
ENQUEUE = "tests.engines.db_worker.tasks.enqueue"
