"""The arguments of huey's consumer, by the settings and by a row."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NOT_OURS = {"logfile", "verbose", "simple_log", "health_check_interval", "shutdown_timeout", "graceful_signal"}
"""The keys of ``settings.HUEY["consumer"]`` that say how to log and how to stop, which workerd does."""
GREENLETS = ("greenlet", "gevent")


def consumer_options(workers: int, worker_type: str) -> dict[str, Any]:
    """Return the consumer's arguments: as the settings say, unless the row does.

    Raises ImproperlyConfigured for workers that are greenlets.
    """
    given = getattr(settings, "HUEY", None)
    settled: Mapping[str, Any] = given.get("consumer", {}) if isinstance(given, dict) else {}
    options = {name: value for name, value in settled.items() if name not in NOT_OURS}
    options |= {"workers": workers} if workers else {}
    options |= {"worker_type": worker_type} if worker_type else {}
    if (found := options.get("worker_type")) in GREENLETS:
        raise ImproperlyConfigured(
            f"huey's workers cannot be of the type “{found}” here: gevent has to change Python before the project is "
            "loaded, and a job is a fork of the loaded project. Say “thread” or “process”, in the row's kwargs as "
            'worker_type or in HUEY["consumer"].'
        )
    return options
