"""The way of Django's tasks to the work."""

from django.tasks import task

from tests.engines.shop.work import do_work


@task
def work(number: int, seconds: float) -> None:
    do_work(number, seconds)


def enqueue(number: int, seconds: float) -> None:
    work.enqueue(number, seconds)
