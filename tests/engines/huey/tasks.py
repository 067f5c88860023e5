"""huey's way to the work."""

from huey.contrib.djhuey import db_task

from tests.engines.shop.work import do_work


@db_task()
def work(number: int, seconds: float) -> None:
    do_work(number, seconds)


def enqueue(number: int, seconds: float) -> None:
    work(number, seconds)
