"""The tests' settings with the shop and the soak's app."""

from tests.process.jobs_settings import *  # noqa: F403
from tests.process.jobs_settings import INSTALLED_APPS, WORKERD

INSTALLED_APPS = [*INSTALLED_APPS, "tests.soak"]
WORKERD = {
    **WORKERD,
    "TARGETS": ["shop.*", "tests.process.faults.hanging_module.*", "tests.process.faults.crashing_module.*"],
}
