"""The tests' settings without the shop: a forkserver that is killed 200 times had better load quickly."""

from tests.process.settings import *  # noqa: F403

INSTALLED_APPS = ["workerd", "tests.process.probes"]
