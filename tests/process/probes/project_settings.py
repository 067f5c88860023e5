"""The tests' settings, with the app of the probes."""

from tests.process.settings import *  # noqa: F403
from tests.process.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.process.probes"]
