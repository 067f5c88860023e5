"""dramatiq's way to the work."""

import dramatiq

from tests.engines.shop.work import do_work


@dramatiq.actor
def work(number: int, seconds: float) -> None:
    do_work(number, seconds)


def enqueue(number: int, seconds: float) -> None:
    work.send(number, seconds)
