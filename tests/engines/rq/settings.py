"""The site with RQ."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import BROKER, INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_rq"]
WORKERD = {**WORKERD, "ENGINES": ["rq", "scaling"]}
RQ_QUEUES = {"default": {"URL": BROKER}}
ENQUEUE = "tests.engines.rq.tasks.enqueue"
