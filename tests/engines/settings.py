"""What the site of each engine has: workerd, and a task that marks what it did."""

import os

from tests.process.settings import *  # noqa: F403
from tests.process.settings import WORKERD

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "workerd",
    "tests.process.bad_jobs",
    "tests.engines.shop",
]
MIDDLEWARE = []
ROOT_URLCONF = __name__
urlpatterns: list[object] = []
BROKER = os.environ.get("ENGINES_BROKER", "")
"""The URL of the broker; empty where the engine keeps its tasks in the database."""
WORKERD = {**WORKERD}
