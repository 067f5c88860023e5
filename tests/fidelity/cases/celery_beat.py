"""django-celery-beat: celery's beat with its schedule in the database; the tasks run in the beat's own process."""

import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-celery-beat",
    "program celery -A tests.fidelity.site.tasks beat --loglevel INFO --pidfile= -S django",
    (
        "django-celery-beat==2.9.0",
        "celery[redis]==5.7.0",
    ),
    apps=("django_celery_beat",),
    needs=frozenset({"redis"}),
    chance=("Schedule changed",),
    shown="`celery beat`, by a command of the project",
)
app: Any = None


def define() -> Any:
    global app
    from celery import Celery

    from tests.fidelity.site.work import work

    app = Celery("fidelity", broker=os.environ["FIDELITY_REDIS"])
    app.conf.task_always_eager = True
    app.conf.beat_max_loop_interval = 0.2
    app.task(name="work")(work)

    def enqueue(name: str, seconds: float) -> None:
        import json

        from django_celery_beat.models import IntervalSchedule, PeriodicTask

        every, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
        PeriodicTask.objects.create(
            name=name, task="work", interval=every, one_off=True, args=json.dumps([name, seconds])
        )

    return enqueue
