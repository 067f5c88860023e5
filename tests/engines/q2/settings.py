"""The site with django-q2."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "django_q"]
WORKERD = {**WORKERD, "ENGINES": ["q2"]}
Q_CLUSTER = {"name": "shop", "orm": "default", "workers": 2, "timeout": 20, "retry": 25}
ENQUEUE = "tests.engines.q2.tasks.enqueue"
