"""The tests' settings, with the app of the probes."""

from tests.process.jobs_settings import *  # noqa: F403
from tests.process.jobs_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.process.probes"]
