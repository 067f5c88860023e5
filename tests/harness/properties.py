"""How many examples a property is tried with, and whether they are new ones in each run.

By default they are the same in each run, so that a test fails where the code has changed, not by chance: Hypothesis'
own profile for CI does so, too. WORKERD_TEST_EXAMPLES=N tries N times as many, drawn anew.
"""

import os

from hypothesis import HealthCheck, settings

_TIMES = os.environ.get("WORKERD_TEST_EXAMPLES", "")


def load_profile() -> None:
    settings.register_profile(
        "workerd",
        deadline=None,  # how long an example takes is the machine's business
        derandomize=not _TIMES,
        max_examples=examples(100),
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("workerd")


def examples(count: int) -> int:
    """Return how many a test tries that takes ``count`` of them by default."""
    return count * int(_TIMES or 1)
