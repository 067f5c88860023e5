"""celery: a worker with two forks, on Redis."""

import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "celery",
    "program celery -A tests.fidelity.site.tasks worker --concurrency 2 --loglevel INFO -n fidelity@here",
    ("celery[redis]==5.7.0",),
    needs=frozenset({"redis"}),
    shown="`celery worker --concurrency 2`, by a command of the project",
)
app: Any = None


def define() -> Any:
    global app
    from celery import Celery

    from tests.fidelity.site.work import work

    app = Celery("fidelity", broker=os.environ["FIDELITY_REDIS"])
    return app.task(name="work")(work).delay
