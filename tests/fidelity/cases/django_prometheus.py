"""django-prometheus: a loop of the project, whose metrics are served from a port that the load opens."""

import os
import sys
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-prometheus", "poll", apps=("django_prometheus",), shown="a loop of the project, with its port of metrics"
)


def settings() -> dict[str, Any]:
    if sys.argv[1:2] != ["poll"] and "workerd" not in sys.argv:
        return {}  # another process may not have the port, too
    return {"PROMETHEUS_METRICS_EXPORT_PORT": int(os.environ["FIDELITY_PORT"]), "PROMETHEUS_METRICS_EXPORT_ADDRESS": ""}


def define() -> Any:
    from tests.fidelity.site.management.commands.poll import put

    return put
