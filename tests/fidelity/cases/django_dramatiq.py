"""django_dramatiq: its command replaces itself by dramatiq, which starts processes with threads."""

import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-dramatiq",
    "rundramatiq --processes 1 --threads 2 --path {folder}",
    (
        "django-dramatiq==0.15.0",
        "dramatiq[redis]==2.2.1",
    ),
    apps=("django_dramatiq",),
    needs=frozenset({"redis"}),
    shown="`rundramatiq`",
)


def settings() -> dict[str, Any]:
    return {
        "DRAMATIQ_BROKER": {
            "BROKER": "dramatiq.brokers.redis.RedisBroker",
            "OPTIONS": {"url": os.environ["FIDELITY_REDIS"]},
            "MIDDLEWARE": [
                "dramatiq.middleware.ShutdownNotifications",
                "django_dramatiq.middleware.DbConnectionsMiddleware",
            ],
        }
    }


def define() -> Any:
    import dramatiq

    from tests.fidelity.site.work import work

    return dramatiq.actor(work, actor_name="work").send
