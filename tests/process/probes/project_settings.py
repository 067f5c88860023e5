"""The tests' settings, with the witnesses' app."""

from tests.process.settings import *  # noqa: F403
from tests.process.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.process.probes"]
