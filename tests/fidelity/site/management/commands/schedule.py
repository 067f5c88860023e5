"""Runs APScheduler as the README of django-apscheduler says, and asks the database for new work each moment."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from tests.fidelity.site.work import work

SOON_S = 0.2


def add(name: str, seconds: float) -> None:
    """Put a job into the store, as a process does that runs no scheduler of its own."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone="UTC")
    _use_store(scheduler)
    scheduler.start(paused=True)
    scheduler.add_job(work, "date", id=name, args=[name, seconds], run_date=datetime.now(UTC), misfire_grace_time=60)
    scheduler.shutdown()


def _use_store(scheduler: Any) -> None:
    from django_apscheduler.jobstores import DjangoJobStore

    scheduler.add_jobstore(DjangoJobStore(), "default")


class Command(BaseCommand):
    def handle(self, **options: Any) -> None:
        from apscheduler.schedulers.blocking import BlockingScheduler

        scheduler = BlockingScheduler(timezone="UTC", jobstore_retry_interval=SOON_S)
        _use_store(scheduler)
        scheduler.add_job(scheduler.wakeup, "interval", seconds=SOON_S, id="wake", replace_existing=True)
        scheduler.start()
