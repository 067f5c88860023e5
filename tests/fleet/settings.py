"""What the fleet's nodes load: the tests' settings, with the jobs that are witnesses."""

from tests.process.jobs_settings import *  # noqa: F403
from tests.process.jobs_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.fleet"]
