"""Runs APScheduler as the README of django-apscheduler says."""

import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from tests.fidelity.site.work import work

LISTENERS_S = 0.5


def add(name: str, seconds: float) -> None:
    """Put a job into the store, as a process does that runs no scheduler of its own."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone="UTC")
    _use_store(scheduler)
    scheduler.start(paused=True)
    scheduler.add_job(
        work_later, "date", id=name, args=[name, seconds], run_date=datetime.now(UTC), misfire_grace_time=60
    )
    scheduler.shutdown()


def work_later(name: str, seconds: float) -> None:
    """Work when the scheduler has told its listeners of the beginning: they swallow a KeyboardInterrupt."""
    time.sleep(LISTENERS_S)
    work(name, seconds)


def _use_store(scheduler: Any) -> None:
    from django_apscheduler.jobstores import DjangoJobStore

    scheduler.add_jobstore(DjangoJobStore(), "default")


class Command(BaseCommand):
    def handle(self, **options: Any) -> None:
        from apscheduler.schedulers.blocking import BlockingScheduler

        scheduler = BlockingScheduler(timezone="UTC")
        _use_store(scheduler)
        try:
            scheduler.start()
        except KeyboardInterrupt:
            self.stdout.write("stopping")
            scheduler.shutdown()
            self.stdout.write("stopped")
