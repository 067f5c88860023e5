"""django-prometheus: a loop of the project, whose metrics are served from a port that the load opens."""

import os
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.fidelity.case import Case

WITHIN_S = 30.0
CASE = Case(
    "django-prometheus",
    "poll",
    ("django-prometheus==2.5.0",),
    apps=("django_prometheus",),
    differs={
        "work in hand": "the port that the load opens is the forkserver's, and so are the metrics that it serves; "
        "open it in `child_started`"
    },
    shown="a loop of the project, with its port of metrics",
)


def settings() -> dict[str, Any]:
    from django_site.databases import database_from_url

    entry = database_from_url(os.environ["DATABASE_URL"], Path.cwd())
    found: dict[str, Any] = {"DATABASES": {"default": entry | {"ENGINE": "django_prometheus.db.backends.sqlite3"}}}
    if sys.argv[1:2] == ["poll"] or "workerd" in sys.argv:  # two processes cannot have the port
        found |= {"PROMETHEUS_METRICS_EXPORT_PORT": int(os.environ["FIDELITY_PORT"])}
        found |= {"PROMETHEUS_METRICS_EXPORT_ADDRESS": "127.0.0.1"}
    return found


def define() -> Any:
    from tests.fidelity.site.management.commands.poll import put
    from tests.fidelity.site.work import note

    def enqueue(name: str, seconds: float) -> None:
        if name == "long":  # the short one has made a query
            note("metrics", "count its queries" if is_counted() else "do not count its queries")
        put(name, seconds)

    return enqueue


def is_counted() -> bool:
    """Return whether the metrics, of a command that may still be starting, tell of a query within a while."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['FIDELITY_PORT']}/metrics") as answer:
                counted = re.search(r"^django_db_execute_total\{.*\} (.*)$", answer.read().decode(), re.MULTILINE)
        except OSError:
            counted = None
        if counted and float(counted[1]) > 0:
            return True
        time.sleep(0.05)
    return False
