"""django-q2: its cluster of processes, with the database as its queue."""

from typing import Any

from tests.fidelity.case import Case

INVENTED = r"\b[a-z]+(-[a-z]+){3}\b"
"""The names of clusters and tasks: four words."""
CASE = Case("django-q2", "qcluster", ("django-q2==1.11.1",), apps=("django_q",), quick=True, noise=(INVENTED,))


def settings() -> dict[str, Any]:
    return {
        "Q_CLUSTER": {"name": "fidelity", "orm": "default", "workers": 2, "timeout": 30, "retry": 60, "poll": 0.1},
    }


def define() -> Any:
    from django_q.tasks import async_task

    return lambda name, seconds: async_task("tests.fidelity.site.work.work", name, seconds)
