"""The site with django-ox; a task whose worker is gone is claimed again after a few seconds."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_ox"]
WORKERD = {**WORKERD, "ENGINES": ["tasks"]}
TASKS = {"default": {"BACKEND": "django_ox.backend.OxBackend", "OPTIONS": {"LOCK_TIMEOUT": 6.0}}}
ENQUEUE = "tests.engines.db_worker.tasks.enqueue"
