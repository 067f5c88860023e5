"""django-rq: a worker that forks for each piece of work."""

import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case("django-rq", "rqworker default", ("django-rq==4.2.0",), apps=("django_rq",), needs=frozenset({"redis"}))


def settings() -> dict[str, Any]:
    return {"RQ_QUEUES": {"default": {"URL": os.environ["FIDELITY_REDIS"]}}}


def define() -> Any:
    import django_rq

    from tests.fidelity.site.work import work

    return lambda name, seconds: django_rq.get_queue("default").enqueue(work, name, seconds)
