"""Tasks of django-tasks-db whose worker has ended with them in hand: they are done again."""

import logging
import time

from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from workerd.contrib.naming import has_ended

LOOKS_EVERY_S = 10.0
log = logging.getLogger(__name__)


class LostTasks:
    """Gives back the tasks of workers that have ended, and those of ``worker_id``, which has none when it asks."""

    def __init__(self, backend: str, worker_id: str) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._next_look = 0.0

    def requeue_if_due(self) -> None:
        """Do so each ten seconds."""
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + LOOKS_EVERY_S
            self._requeue()

    def look_at_once(self) -> None:
        """Do not wait: the answer to a claim may be lost with its database, and so may the end of a task."""
        self._next_look = 0.0

    def _requeue(self) -> None:
        for lost in DBTaskResult.objects.running().filter(backend_name=self._backend):
            name = lost.worker_ids[-1]
            if name == self._worker_id or has_ended(name):
                log.warning("task %s of %s is done again", lost.pk, name, extra={"task_id": str(lost.pk)})
                same = DBTaskResult.objects.running().filter(pk=lost.pk, worker_ids=lost.worker_ids)
                same.update(status=TaskResultStatus.READY)
