"""The chaos tests' settings with fork safety taken out, as in every project that does not use it."""

from tests.process.chaos.settings import *  # noqa: F403
from tests.process.chaos.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.process.chaos.unguarded", *INSTALLED_APPS]
