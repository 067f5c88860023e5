"""RQ's way to the work."""

import django_rq

from tests.engines.shop.work import do_work


def enqueue(number: int, seconds: float) -> None:
    django_rq.enqueue(do_work, number, seconds)
