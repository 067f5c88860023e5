"""The site with procrastinate."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "procrastinate.contrib.django"]
WORKERD = {**WORKERD, "ENGINES": ["procrastinate"]}
PROCRASTINATE_IMPORT_PATHS = ["tests.engines.procrastinate.tasks"]
ENQUEUE = "tests.engines.procrastinate.tasks.enqueue"
