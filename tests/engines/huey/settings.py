"""The site with huey."""

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import BROKER, INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "huey.contrib.djhuey", "tests.engines.huey"]
WORKERD = {**WORKERD, "ENGINES": ["huey"]}
HUEY = {"name": "shop", "immediate": False, "url": BROKER}
ENQUEUE = "tests.engines.huey.tasks.enqueue"
