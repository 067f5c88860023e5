"""django-q2's way to the work."""

from django_q.tasks import async_task

from tests.engines.shop.work import do_work


def enqueue(number: int, seconds: float) -> None:
    async_task(do_work, number, seconds)
