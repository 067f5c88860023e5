"""Celery's app, and its way to the work."""

import time
from typing import Any

import structlog
from celery import Celery
from celery.utils.log import get_task_logger

from tests.engines.shop.work import BEGAN, do_work, mark

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
work = app.task(do_work)


def enqueue(number: int, seconds: float) -> None:
    work.delay(number, seconds)


@app.task(bind=True)
def speak(self: Any) -> None:
    """Log in each way that a task may."""
    get_task_logger(__name__).info("by Celery's logger", extra={"task_id": self.request.id})
    structlog.get_logger().info("by structlog")


@app.task
def never_end(number: int) -> None:
    """Hang, as often as it is begun."""
    mark(BEGAN, number)
    while True:
        time.sleep(3600)
