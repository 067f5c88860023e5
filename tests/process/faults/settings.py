"""The tests' settings without the shop, with the faults: jobs, a command, and modules that no import survives."""

from tests.process.settings import *  # noqa: F403
from tests.process.settings import WORKERD

INSTALLED_APPS = [
    "workerd",
    "tests.process.bad_jobs",
    "tests.process.faults",
]
WORKERD = {
    **WORKERD,
    "COMMANDS": ["poll_then_stall"],
    "TARGETS": ["tests.process.faults.hanging_module.*", "tests.process.faults.crashing_module.*"],
}
