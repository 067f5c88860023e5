"""The storm's settings with fork safety taken out: what every project without it runs."""

from tests.process.storm.settings import *  # noqa: F403
from tests.process.storm.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.process.storm.unguarded", *INSTALLED_APPS]
